"""Configurations small enough for seconds, composed from the project's own files."""

import pytest

from wavegen.cli import composition
from wavegen.resources import resource_directory

SMALL = [
    "teacher.wavenet.dilations.num_layers=3",
    "teacher.wavenet.residual_channels=8",
    "teacher.wavenet.gate_channels=16",
    "teacher.wavenet.skip_channels=8",
    "teacher.wavenet.output_channels=8",
    "teacher_training.segment_s=0.05",
    "teacher_training.batch_size=2",
    "teacher_training.max_steps=6",
    "teacher_training.validate_every_steps=3",
    "teacher_training.dev_batches=1",
    "teacher_training.num_workers=0",
    "teacher_training.speak_every_num_validations=100",
]
SMALL_STUDENT = [
    "student_training.segment_s=0.05",
    "student_training.batch_size=2",
    "student_training.max_steps=6",
    "student_training.validate_every_steps=3",
    "student_training.dev_batches=1",
    "student_training.num_workers=0",
]
SMALL_FLOW = [
    "flow_model.num_steps=1",
    "flow_model.hidden_channels=4",
    "flow_training.max_steps=6",
    "flow_training.batch_size=8",
    "flow_training.validate_every_steps=3",
    "flow_training.dev_batches=2",
]


@pytest.fixture
def compose_config():
    """``compose_config(recipe, *overrides)``: the recipe's configuration at a size for seconds."""

    def build(recipe, *overrides):
        small = SMALL + (SMALL_STUDENT if recipe == "distill" else [])
        config = composition.compose_config(
            recipe, [*small, *overrides], configs=resource_directory("configs")
        )
        for flow in config.get("student", {}).get("wavenets", []):
            flow.dilations.num_layers = 2
        return config

    return build


@pytest.fixture
def train_flow():
    """``train_flow(run, *overrides)``: fits a flow of a handful of channels to digits, in a second."""
    from wavegen.runs.folder import open_run
    from wavegen.training.density_stage import fill_in_event, load_data, new_density, train_density

    def train(run, *overrides):
        configs = resource_directory("configs")
        config = composition.compose_config("flow", [*SMALL_FLOW, *overrides], configs=configs)
        config.run = str(run)
        data, context = load_data(config)
        fill_in_event(config, data, context)
        return train_density(config, new_density(config), data, context, open_run(config))

    return train


@pytest.fixture
def killed_at():
    """``killed_at(patch, step, save_at)``: every trainer saves at one step and dies at a later one."""
    import wavegen.training.fit as fit_module

    class SeedSaveAndDie(fit_module.StepSeed):
        step = save_at = None

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            if trainer.global_step == self.step:
                raise RuntimeError("power cut")

        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            if trainer.global_step == self.save_at:
                saver = next(c for c in trainer.callbacks if hasattr(c, "path"))
                trainer.save_checkpoint(saver.path)
            super().on_train_batch_start(trainer, module, batch, batch_idx)

    def arrange(patch, step, save_at):
        patch.setattr(SeedSaveAndDie, "step", step)
        patch.setattr(SeedSaveAndDie, "save_at", save_at)
        patch.setattr(fit_module, "StepSeed", SeedSaveAndDie)

    return arrange

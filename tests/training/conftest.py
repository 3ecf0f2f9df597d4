"""Configurations small enough for seconds, composed from the project's own files."""

import warnings
from functools import partial

import lightning
import pytest
import torch
from torch.utils.data import DataLoader

from wavegen.cli import composition
from wavegen.resources import resource_directory
from wavegen.training.budget import Budget
from wavegen.training.data import StepNumbers
from wavegen.training.module import TrainingModule
from wavegen.training.quiet import quiet_lightning

SMALL = [
    "source_filter=none",
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
SMALL_SOURCE_FILTER = [
    "source_filter=default",
    "source_filter.filter.parameters.hidden_channels=8",
    "source_filter.filter.order=6",
    "source_filter.mixture.parameters.hidden_channels=8",
    "source_filter.pulses.hidden_channels=4",
    "source_filter_training.segment_s=0.1",
    "source_filter_training.batch_size=2",
    "source_filter_training.max_steps=6",
    "source_filter_training.validate_every_steps=3",
    "source_filter_training.dev_batches=1",
    "source_filter_training.num_workers=0",
    "source_filter_training.speak_every_num_validations=100",
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
        small = SMALL_SOURCE_FILTER if recipe == "source_filter" else SMALL
        small = small + (SMALL_STUDENT if recipe == "distill" else [])
        if "source_filter=default" in overrides:
            small = [word for word in small if word != "source_filter=none"] + SMALL_SOURCE_FILTER
            overrides = tuple(word for word in overrides if word != "source_filter=default")
        config = composition.compose_config(
            recipe, [*small, *overrides], configs=resource_directory("configs")
        )
        for flow in config.get("student", {}).get("wavenets", []):
            flow.dilations.num_layers = 2
        return config

    return build


@pytest.fixture
def make_config():
    """``make_config(recipe, *overrides)``: the recipe's configuration as it is."""

    def make(recipe, *overrides):
        return composition.compose_config(recipe, list(overrides), configs=resource_directory("configs"))

    return make


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


class Clock:
    def __init__(self, minutes):
        self.minutes = minutes

    def elapsed(self):
        return 60 * self.minutes, 0.0


class OneProcess:
    class strategy:
        broadcast = staticmethod(lambda value: value)


@pytest.fixture
def budget_at():
    """``budget_at(minutes, **limits)``: a budget of which so many minutes are used up."""

    def make(minutes, **limits):
        budget = Budget(**limits)
        budget.clock = Clock(minutes)
        budget.on_before_optimizer_step(OneProcess, None, None)
        return budget

    return make


class Line(TrainingModule):
    """Fits a number to the numbers that it is shown; its rate and loss are easy to follow by hand."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.value = torch.nn.Parameter(torch.tensor(0.0, dtype=torch.float64))
        self.seen, self.validated = [], []

    def training_step(self, number):
        self.seen.append(int(number))
        return self.check_finite("square", (self.value - number).square())

    def validation_step(self, number, batch_idx):
        self.validated.append((self.trainer.global_step, self.value.item()))
        return {"cost": (self.value - 1).abs(), "size": 1}


@pytest.fixture
def fit_line(tmp_path):
    """``fit_line(callbacks, max_steps=, validate_every_steps=, …)``: the fitted module, by a real trainer."""

    def fit(
        callbacks=(),
        *,
        max_steps=4,
        validate_every_steps=None,
        ckpt_path=None,
        module=None,
        progress_bar=False,
        **settings,
    ):
        defaults = {"optimizer": partial(torch.optim.SGD, lr=0.1), "budget": Budget(max_steps=max_steps)}
        module = module or Line(**{**defaults, **settings})
        data = StepNumbers()
        if validate_every_steps:
            data.val_dataloader = lambda: DataLoader([torch.tensor(0.0)], batch_size=None)
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_steps=max_steps,
            callbacks=list(callbacks),
            val_check_interval=validate_every_steps,
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=progress_bar,
            enable_model_summary=False,
        )
        with quiet_lightning(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.fit(module, data, ckpt_path=ckpt_path)
        return module

    return fit


@pytest.fixture
def importable(tmp_path, monkeypatch):
    """``importable(name, source)`` makes a module that configurations can name, as a user's own; its name."""

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        return name

    return write

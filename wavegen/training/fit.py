"""One call that fits a module and leaves a resumable folder behind."""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import (
    LearningRateMonitor,
    ModelCheckpoint,
    TQDMProgressBar,
)
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import DictConfig, OmegaConf

from wavegen.calls import build
from wavegen.runtime import prepare_process
from wavegen.training.averaging import PolyakAverage
from wavegen.training.checkpoints import LAST, CheckpointFiles, resumable
from wavegen.training.step_seed import StepSeed


def fastest_precision() -> str:
    """``bf16-mixed`` where the hardware multiplies bfloat16 natively, else ``32-true``.

    Emulated bfloat16 is slower than float32. Heads, losses and the residual stream stay in float32 either
    way.
    """
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if torch.cpu._is_avx512_bf16_supported() else "32-true"


FIT_SETTINGS = (
    "max_steps",
    "validate_every_steps",
    "checkpoint_every_minutes",
    "dev_batches",
    "gradient_clip",
    "average_decay",
    "precision",
)


def fit_settings(settings: DictConfig) -> dict[str, Any]:
    """What of an optimisation group's settings goes to :func:`fit`."""
    return {name: settings[name] for name in FIT_SETTINGS}


def optimisation(settings: DictConfig) -> dict[str, Any]:
    """Builders of optimiser and schedule."""
    resolved = OmegaConf.create(OmegaConf.to_container(settings, resolve=True))
    return {
        "optimizer": build(resolved.optimizer),
        "schedule": None if resolved.schedule is None else build(resolved.schedule),
    }


def fit(
    *,
    module: lightning.LightningModule,
    data: lightning.LightningDataModule,
    trainer: Callable[..., lightning.Trainer],
    run: Path,
    stage: str,
    seed: int,
    max_steps: int,
    validate_every_steps: int,
    checkpoint_every_minutes: float = 3.0,
    dev_batches: int = 8,
    gradient_clip: float = 1.0,
    average_decay: float = 0.999,
    precision: str = "auto",
    callbacks: Sequence[lightning.Callback] = (),
) -> None:
    """Fit to ``max_steps`` steps, or go on where the checkpoint in ``run/checkpoints/<stage>`` stands.

    When it returns, the module holds the Polyak-averaged weights.

    Args:
        module, data: what is trained and on what.
        trainer: partial of ``lightning.Trainer`` with hardware and strategy.
        run: the run's folder.
        stage: ``teacher``, ``student``, ``flow``; names the logs and checkpoints.
        seed: of all noise while training.
        max_steps: in all, those before a resumption included.
        validate_every_steps: dev metrics, and what the callbacks add.
        checkpoint_every_minutes: wall time between saves; Ctrl-C saves too.
        dev_batches: dev batches per validation.
        gradient_clip: largest global gradient norm.
        average_decay: of the exponential moving average of the weights.
        precision: of Lightning, or ``auto`` for :func:`fastest_precision`.
        callbacks: more of them; they see the averaged weights while validating.

    Raises:
        UserError: on checkpoints that cannot be read or written; on numbers that are none (see
            ``check_finite``).
        KeyboardInterrupt: after Ctrl-C, with the checkpoint saved.
    """
    prepare_process()
    folder = run / "checkpoints" / stage
    last = folder / LAST
    saver = TimedCheckpoint(
        dirpath=folder,
        filename="last",
        save_top_k=1,
        monitor=None,
        train_time_interval=timedelta(minutes=checkpoint_every_minutes),
        enable_version_counter=False,
    )
    average = PolyakAverage(average_decay)
    lightning_trainer = trainer(
        max_steps=max_steps,
        max_epochs=-1,
        precision=fastest_precision() if precision == "auto" else precision,
        gradient_clip_val=gradient_clip,
        val_check_interval=min(validate_every_steps, max_steps),
        check_val_every_n_epoch=None,
        limit_val_batches=dev_batches,
        num_sanity_val_steps=0,
        logger=TensorBoardLogger(save_dir=run, name="tensorboard", version=stage),
        enable_model_summary=False,
        plugins=[CheckpointFiles()],
        callbacks=[
            StepSeed(seed),
            StepsAreBatches(),
            *callbacks,
            average,
            LearningRateMonitor(logging_interval="step"),
            SaveOnInterrupt(last, average),
            saver,
            StepProgress(stage, max_steps),
        ],
    )
    try:
        lightning_trainer.fit(
            module, datamodule=data, ckpt_path=resumable(folder, max_steps), weights_only=True
        )
    except SystemExit:
        # Lightning turns Ctrl-C into an exit; our caller words the farewell.
        if lightning_trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    lightning_trainer.save_checkpoint(last)


class StepsAreBatches(lightning.Callback):
    """Validations come at the same steps after a resumption as without one.

    Lightning counts a batch before it is worked on and restores that count: a checkpoint from the midst of a
    batch (Ctrl-C) would move all later validations one step forward.
    """

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        count = trainer.fit_loop.epoch_loop.batch_progress.total
        count.ready = count.started = count.processed = count.completed = trainer.global_step


class SaveOnInterrupt(lightning.Callback):
    """Ctrl-C leaves a checkpoint; any other exception leaves the last good one alone.

    Stands behind the average in the list of callbacks, which first tidies up after an interrupted validation.
    """

    def __init__(self, path: Path, average: PolyakAverage) -> None:
        self.path, self.average = path, average

    def on_exception(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, exception: BaseException
    ) -> None:
        complete = trainer.global_step > 0 and self.average.covers(trainer)
        if isinstance(exception, KeyboardInterrupt) and complete:
            trainer.save_checkpoint(self.path)


class TimedCheckpoint(ModelCheckpoint):
    """Saves whenever some time has passed, always to the same file, and knows nothing of earlier runs.

    Lightning's own writes into every checkpoint which path its next save makes superfluous, takes that back
    from the checkpoint a run goes on from, and deletes it, whatever it is: a folder too, and anywhere.
    """

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pass


class StepProgress(TQDMProgressBar):
    """A bar over the steps of the whole stage: an endless stream of batches has no epochs to count."""

    def __init__(self, stage: str, max_steps: int) -> None:
        super().__init__(refresh_rate=0 if os.environ.get("CI") else 10)
        self.stage, self.max_steps = stage, max_steps

    @property
    def total_train_batches(self) -> int:
        return self.max_steps

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        super().on_train_start(trainer, module)
        # A run resumed within its only epoch never starts that epoch, where Lightning would fill these in.
        self.train_progress_bar.total = self.max_steps
        self.train_progress_bar.initial = trainer.global_step
        self.train_progress_bar.set_description(self.stage)

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        super().on_train_epoch_start(trainer, module)
        self.train_progress_bar.set_description(self.stage)

    def get_metrics(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> dict:
        metrics = super().get_metrics(trainer, module)
        metrics.pop("v_num", None)  # the log folder's name, cut off
        return metrics

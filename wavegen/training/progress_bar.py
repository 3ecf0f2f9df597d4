"""The progress bar of a training."""

import os
from typing import Any

import lightning
from lightning.pytorch.callbacks import TQDMProgressBar

from wavegen.training.budget import Budget
from wavegen.training.step_seed import ends_step


class StepProgress(TQDMProgressBar):
    """A bar over the steps of the whole stage, because an endless stream of batches has no epochs.

    If minutes limit the training, they are shown beside the bar, and the total is an estimate.
    """

    def __init__(self, stage: str, budget: Budget) -> None:
        super().__init__(refresh_rate=0 if os.environ.get("CI") else 10)
        self.stage, self.budget = stage, budget
        self._step = 0

    @property
    def total_train_batches(self) -> int:
        """Steps of the whole stage, estimated from the progress so far."""
        progress = self.budget.progress(self._step)
        return round(self._step / progress) if self._step and progress else self.budget.max_steps

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        super().on_train_start(trainer, module)
        # A resumed run does not start its only epoch again, where Lightning would set these.
        self._step = trainer.global_step
        self.train_progress_bar.total = self.total_train_batches
        self.train_progress_bar.initial = trainer.global_step
        self.train_progress_bar.set_description(self.stage)

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        super().on_train_epoch_start(trainer, module)
        self.train_progress_bar.set_description(self.stage)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        number: int,
    ) -> None:
        self._step = trainer.global_step
        self.train_progress_bar.total = self.total_train_batches
        if ends_step(trainer, number):
            super().on_train_batch_end(trainer, module, outputs, batch, self._step - 1)

    def on_exception(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """End the lines of the bars, so that the message about the exception begins on a line of its own."""
        for bar in (self._val_progress_bar, self._train_progress_bar):
            if bar is not None:
                bar.close()

    def get_metrics(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> dict:
        metrics = super().get_metrics(trainer, module)
        metrics.pop("v_num", None)  # the log folder's name, truncated
        if self.budget.max_minutes is not None:
            metrics["minutes"] = f"{self.budget.minutes():.1f}/{self.budget.max_minutes:g}"
        return metrics

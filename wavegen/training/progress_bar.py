"""What a training shows of itself."""

import os
from typing import Any

import lightning
from lightning.pytorch.callbacks import TQDMProgressBar

from wavegen.training.budget import Budget


class StepProgress(TQDMProgressBar):
    """A bar over the steps of the whole stage: an endless stream of batches has no epochs to count.

    Where minutes limit it, they stand beside the bar, whose total is how many steps they will have been.
    """

    def __init__(self, stage: str, budget: Budget) -> None:
        super().__init__(refresh_rate=0 if os.environ.get("CI") else 10)
        self.stage, self.budget = stage, budget
        self._step = 0

    @property
    def total_train_batches(self) -> int:
        """Of the whole stage, as far as one can tell."""
        progress = self.budget.progress(self._step)
        return round(self._step / progress) if self._step and progress else self.budget.max_steps

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        super().on_train_start(trainer, module)
        # A run resumed within its only epoch never starts that epoch, where Lightning would fill these in.
        self._step = trainer.global_step
        self.train_progress_bar.total = self.total_train_batches
        self.train_progress_bar.initial = trainer.global_step
        self.train_progress_bar.set_description(self.stage)

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        super().on_train_epoch_start(trainer, module)
        self.train_progress_bar.set_description(self.stage)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, *batch: Any
    ) -> None:
        self._step = trainer.global_step
        self.train_progress_bar.total = self.total_train_batches
        super().on_train_batch_end(trainer, module, *batch)

    def get_metrics(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> dict:
        metrics = super().get_metrics(trainer, module)
        metrics.pop("v_num", None)  # the log folder's name, cut off
        if self.budget.max_minutes is not None:
            metrics["minutes"] = f"{self.budget.minutes():.1f}/{self.budget.max_minutes:g}"
        return metrics

"""What a training shows of itself."""

import os

import lightning
from lightning.pytorch.callbacks import TQDMProgressBar


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

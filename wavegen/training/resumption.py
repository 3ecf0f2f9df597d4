"""Makes a resumed training continue exactly as if it had not been stopped."""

from typing import Any, cast

import lightning
from lightning.pytorch.loops.progress import _ProcessedTracker

from wavegen.training.averaging import PolyakAverage
from wavegen.training.budget import Budget


class Resumption(lightning.Callback):
    """Corrects Lightning's counters and validations after a resumption.

    - Lightning counts a batch before it is processed and restores that count. A checkpoint saved within a
      batch would shift all later validations by one step. Here the counts are those of the batches of all
      steps.
    - Lightning skips a validation that was due at the checkpoint's step, or continues it in the middle. Here
      the whole validation is run, unless it was complete.

    Args:
        validate_every_steps: steps between validations; another one is due at the end.
    """

    behind = (Budget, PolyakAverage)  # it may validate, and must know whether the budget is used

    def __init__(self, validate_every_steps: int) -> None:
        self.validate_every_steps = validate_every_steps
        self.validated_at: int | None = None

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.validated_at = trainer.global_step

    def state_dict(self) -> dict[str, Any]:
        return {"validated_at": self.validated_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.validated_at = state_dict["validated_at"]

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        step, loop = trainer.global_step, trainer.fit_loop.epoch_loop
        num_batches = step * trainer.accumulate_grad_batches
        for progress in (loop.batch_progress.total, loop.batch_progress.current):
            count = cast(_ProcessedTracker, progress)
            count.ready = count.started = count.processed = num_batches
            # Lightning is about to complete the batch at whose end the checkpoint was saved.
            count.completed = num_batches - int(loop.restarted_on_train_batch_end)
        loop.val_loop.restarting = False
        loop.val_loop.reset_restart_stage()
        due = step > 0 and (step % self.validate_every_steps == 0 or trainer.should_stop)
        if due and self.validated_at != step:
            trainer.validating = True
            loop.val_loop.run()
            trainer.training = True

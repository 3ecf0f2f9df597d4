"""The limits of a training in steps and in minutes, and its progress."""

import math
from typing import Any

import lightning

from wavegen.errors import UserError
from wavegen.training.clock import TrainingClock


class Budget(lightning.Callback):
    """Ends the fit after ``max_steps`` or ``max_minutes``, whichever comes first; a validation follows.

    Time is wall time between the start and the end of fitting. It includes validations and the speech that
    they sample. A resumed training adds to it: ``clock`` is saved in the checkpoint. The current step, the
    last validation and the last checkpoint are finished after the limit. With several processes, the clock of
    the first one decides. Lightning's own ``Timer`` is not used: its processes do not agree on the progress,
    and it does not check the time after a validation.

    Args:
        max_steps: optimiser steps.
        max_minutes: None for no limit. With a limit, the result depends on the speed of the machine.

    Raises:
        UserError: if one of them is not a positive number of its type.
    """

    def __init__(self, *, max_steps: int, max_minutes: float | None = None) -> None:
        if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
            raise UserError(f"max_steps must be a whole number of at least 1, got {max_steps!r}")
        is_number = isinstance(max_minutes, (int, float)) and not isinstance(max_minutes, bool)
        if max_minutes is not None and not (is_number and 0 < max_minutes < math.inf):
            raise UserError(f"max_minutes must be a number above 0, or null, got {max_minutes!r}")
        self.max_steps, self.max_minutes = max_steps, max_minutes
        self.clock = TrainingClock()
        self._time_share = 0.0

    def as_steps(self, step: int) -> float:
        """The progress as a number of steps, at most ``max_steps``; time that is used counts as steps."""
        return min(float(self.max_steps), max(float(step), self._time_share * self.max_steps))

    def progress(self, step: int) -> float:
        """The share of the budget that is used after ``step`` steps, in [0, 1]: of steps or of minutes."""
        return self.as_steps(step) / self.max_steps

    def minutes(self) -> float:
        """Minutes of training so far."""
        return self.clock.elapsed()[0] / 60

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._look_at_the_clock(trainer)
        self._stop_at_the_end(trainer)

    def on_before_optimizer_step(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._look_at_the_clock(trainer)  # before the schedule sets the next step's rate

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._stop_at_the_end(trainer)

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._look_at_the_clock(trainer)
        self._stop_at_the_end(trainer)

    def _look_at_the_clock(self, trainer: lightning.Trainer) -> None:
        """Share one clock among all processes: different learning rates would make their weights differ."""
        if self.max_minutes is not None:
            self._time_share = trainer.strategy.broadcast(self.minutes() / self.max_minutes)

    def _stop_at_the_end(self, trainer: lightning.Trainer) -> None:
        if trainer.global_step >= self.max_steps or self._time_share >= 1:
            trainer.should_stop = True

"""How much a training may take, in steps and in minutes, and how far it is."""

import math
from typing import Any

import lightning

from wavegen.errors import UserError
from wavegen.training.clock import TrainingClock


class Budget(lightning.Callback):
    """Ends the fit after so many steps or so much time, whichever comes first; a validation follows.

    Time is wall time between the start and the end of fitting, validations and what they speak included, over
    all sittings: ``clock`` is saved in the checkpoint, and stands still while nothing runs. What ends a
    training comes on top of its minutes: the step under way, a validation, the last checkpoint. Of several
    processes the first one's clock decides. Lightning's own ``Timer`` ends a fit likewise, but its processes
    do not agree on how far it is, and it does not look at the time behind a validation.

    Args:
        max_steps: optimiser steps.
        max_minutes: None for as long as the steps take. With it a training is not repeatable to the digit.

    Raises:
        UserError: where one of them is no such number.
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
        """The step at which a training without a limit of time would be as far, at most ``max_steps``."""
        return min(float(self.max_steps), max(float(step), self._time_share * self.max_steps))

    def progress(self, step: int) -> float:
        """The share of the budget that is used up behind so many steps: of steps or of minutes, in [0, 1]."""
        return self.as_steps(step) / self.max_steps

    def minutes(self) -> float:
        """Used up."""
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
        """Once for all processes: rates that differ would drive their weights apart."""
        if self.max_minutes is not None:
            self._time_share = trainer.strategy.broadcast(self.minutes() / self.max_minutes)

    def _stop_at_the_end(self, trainer: lightning.Trainer) -> None:
        if trainer.global_step >= self.max_steps or self._time_share >= 1:
            trainer.should_stop = True

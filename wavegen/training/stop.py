"""Ends a training on a signal, after the current step, with a checkpoint."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
from lightning.pytorch.utilities import rank_zero_only

from wavegen.interruption import Interrupted, handling, raise_if_interrupted, say
from wavegen.training.averaging import PolyakAverage
from wavegen.training.step_seed import ends_step


class StopOnSignal(lightning.Callback):
    """Ctrl-C, SIGTERM and SIGHUP end the fit between two optimiser steps, or two batches of a validation.

    Then the checkpoint is saved and ``Interrupted`` is raised. Further signals before that have no effect
    except one message. A signal to one process of a distributed training ends all processes after the same
    step. Any other exception leaves the last checkpoint unchanged. Replaces Lightning's own handler of
    SIGTERM, which would end the training without saving.

    Args:
        path: of the checkpoint.
        stage: name of the stage, for the messages.
        average: of the weights; a checkpoint is consistent if it includes the last step.
    """

    behind = (PolyakAverage,)  # which restores the module's own weights after an interrupted validation

    def __init__(self, path: Path, stage: str, average: PolyakAverage) -> None:
        self.path, self.stage, self.average = path, stage, average
        self.received: int | None = None
        self._signals: tuple[int, ...] = ()
        self._has_warned = False
        self._first_step: int | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Inside the block, signals are recorded; :meth:`check` acts on them.

        Raises:
            Interrupted: at once, if a signal came before and was lost.
        """
        raise_if_interrupted()
        with handling(self._remember) as self._signals:
            yield

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = signum
            self._say(f"{signal.Signals(signum).name}: saving the {self.stage} after the current step")
        elif not self._has_warned:
            self._has_warned = True
            self._say(
                f"wavegen ends after the {self.stage} is saved; Ctrl-\\ ends it at once and leaves the "
                f"previous checkpoint"
            )

    @rank_zero_only
    def _say(self, line: str) -> None:
        say(line)

    def check(self, trainer: lightning.Trainer, kept: str = "") -> None:
        """End the fit if any of the processes has received a signal.

        Raises:
            Interrupted: in all processes.
        """
        if trainer.strategy.reduce_boolean_decision(self.received is not None, all=False):
            raise Interrupted(self.received or signal.SIGTERM, kept)

    def _take_over(self) -> None:
        for signum in self._signals:
            signal.signal(signum, self._remember)

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._take_over()
        self._first_step = trainer.global_step
        self.check(trainer)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        number: int,
    ) -> None:
        if ends_step(trainer, number):
            self.check(trainer)

    def on_validation_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._take_over()  # a resumed training may begin with a validation
        self.check(trainer)

    def on_validation_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        self.check(trainer)

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.check(trainer)

    def on_exception(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, exception: BaseException
    ) -> None:
        if not isinstance(exception, (KeyboardInterrupt, Interrupted)):
            return
        self.received = self.received or getattr(exception, "signum", signal.SIGINT)
        step = trainer.global_step
        if self._first_step is None or not self.average.covers(trainer):
            return  # the state is inconsistent: the trainer is being restored or is within a step
        if step > self._first_step:
            trainer.save_checkpoint(self.path)
        if isinstance(exception, Interrupted):
            exception.kept = f"the {self.stage} is saved at step {step}" if step else ""

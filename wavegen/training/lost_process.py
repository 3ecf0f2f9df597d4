"""Ends a training in several processes with one sentence when one of them has died."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import lightning

from wavegen.errors import UserError
from wavegen.training.checkpoints import read_step

_PATIENCE_S = 1.0  # a process closes its connections shortly before its end can be seen


class LostProcess(lightning.Callback):
    """Says which process has died, how, and what was saved, in place of a traceback of the backend.

    The first process speaks. The others end in silence, because it ends them or has died itself. A process
    on another node cannot be named; then the error of the backend remains.

    Args:
        checkpoint: the last one of the stage.
        stage: its name, for the message.
    """

    def __init__(self, checkpoint: Path, stage: str) -> None:
        self.checkpoint, self.stage = checkpoint, stage

    def on_exception(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Raises UserError in the first process, if another one has died; SystemExit in the others."""
        if trainer.world_size == 1 or not isinstance(exception, RuntimeError):
            return
        if trainer.global_rank:
            sys.exit(1)
        processes = getattr(trainer.strategy.launcher, "procs", [])
        ended = _ended(processes)
        if not ended:
            return
        for process in processes:
            process.kill()
        processes.clear()  # Lightning's observer of these processes would kill this one
        of = f"of {trainer.world_size}"
        said = " and ".join(f"process {rank} {of} {_how(code)}" for rank, code in ended.items())
        raise UserError(f"{said}: {self._saved()}; the same command goes on from there") from exception

    def _saved(self) -> str:
        try:
            return f"the {self.stage} is saved at step {read_step(self.checkpoint)}"
        except Exception:  # there is none, or it is torn and the one before it is used
            return f"the {self.stage} has no readable {self.checkpoint.name} yet"


def _ended(processes: list[subprocess.Popen]) -> dict[int, int]:
    """Rank and exit status of the processes that have failed."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        found = {rank: code for rank, one in enumerate(processes, start=1) if (code := one.poll())}
        if found or time.monotonic() > end:
            return found
        time.sleep(0.02)


def _how(code: int) -> str:
    if code > 0:
        return f"ended with status {code} (its message is above)"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a signal without a name
        return f"was killed by signal {-code}"

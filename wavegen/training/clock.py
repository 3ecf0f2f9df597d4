"""Measures the time of a training, including the time before a resumption."""

import time

import lightning


class TrainingClock(lightning.Callback):
    """Seconds of wall time and of this process's CPU time between the start and the end of fitting.

    After a resumption, the time up to the checkpoint is included. CPU time covers all threads of this
    process, but not the other processes of a distributed training.
    """

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0
        self._running_since: tuple[float, float] | None = None

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self._running_since = time.perf_counter(), time.process_time()

    def on_train_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.wall_s, self.cpu_s = self.elapsed()
        self._running_since = None

    def elapsed(self) -> tuple[float, float]:
        if self._running_since is None:
            return self.wall_s, self.cpu_s
        wall, cpu = self._running_since
        return self.wall_s + time.perf_counter() - wall, self.cpu_s + time.process_time() - cpu

    def state_dict(self) -> dict[str, float]:
        wall_s, cpu_s = self.elapsed()
        return {"wall_s": wall_s, "cpu_s": cpu_s}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.wall_s, self.cpu_s = state_dict["wall_s"], state_dict["cpu_s"]

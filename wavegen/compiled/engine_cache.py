"""Caches an engine between calls and makes it again when the model has changed."""

from collections.abc import Callable
from typing import Generic, TypeVar

from torch import Tensor, nn

from wavegen.snapshot import Snapshot

Engine = TypeVar("Engine")


class EngineCache(Generic[Engine]):
    """Caches the result of ``make()`` as long as the model's weights are unchanged.

    Weights are compared by value, see :class:`~wavegen.snapshot.Snapshot`. That costs one pass over them;
    packing costs about ten times as much.

    Args:
        model: its parameters, buffers and modes (training or not) are compared.
        check: raises if ``make`` does not support the model's structure; called every time.
        make: packs the weights.
    """

    def __init__(self, model: nn.Module, check: Callable[[], None], make: Callable[[], Engine]) -> None:
        self.model, self.check, self.make = model, check, make
        self._engine: Engine | None = None
        self._seen = Snapshot([])
        self._mode: tuple[bool, ...] = ()

    def get(self) -> Engine:
        """The engine for the current weights; raises what ``check`` and ``make`` raise."""
        self.check()
        engine = self._engine
        if engine is None or self._has_changed():
            self._engine = engine = None  # two engines would need twice the memory
            engine = self.make()
            self._seen = Snapshot(self._tensors())
            self._mode = self._modes()
            self._engine = engine  # last, so that another thread never gets one that is not there yet
        return engine

    def _has_changed(self) -> bool:
        return self._modes() != self._mode or not self._seen.equals(self._tensors())

    def _tensors(self) -> list[Tensor]:
        return [*self.model.parameters(), *self.model.buffers()]

    def _modes(self) -> tuple[bool, ...]:
        return tuple(module.training for module in self.model.modules())

"""Caches an engine between calls and makes it again when the model has changed."""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Engine = TypeVar("Engine")


class EngineCache(Generic[Engine]):
    """Caches the result of ``make()`` as long as the model's weights are unchanged.

    Weights are compared by value, because torch's version counters do not count the updates of fused
    optimisers. A comparison costs one pass over the weights; packing costs about ten times as much.

    Args:
        model: its parameters, buffers and modes (training or not) are compared.
        check: raises if ``make`` does not support the model's structure; called every time.
        make: packs the weights.
    """

    def __init__(self, model: nn.Module, check: Callable[[], None], make: Callable[[], Engine]) -> None:
        self.model, self.check, self.make = model, check, make
        self._engine: Engine | None = None
        self._seen: list[Tensor] = []
        self._mode: tuple[bool, ...] = ()

    def get(self) -> Engine:
        """The engine for the current weights; raises what ``check`` and ``make`` raise."""
        self.check()
        if self._engine is None or self._has_changed():
            self._engine = None
            self._engine = self.make()
            self._seen = [tensor.detach().clone() for tensor in self._tensors()]
            self._mode = self._modes()
        return self._engine

    def _has_changed(self) -> bool:
        now = self._tensors()
        return (
            self._modes() != self._mode
            or len(now) != len(self._seen)
            or not all(_same(*pair) for pair in zip(now, self._seen, strict=True))
        )

    def _tensors(self) -> list[Tensor]:
        return [*self.model.parameters(), *self.model.buffers()]

    def _modes(self) -> tuple[bool, ...]:
        return tuple(module.training for module in self.model.modules())


def _same(now: Tensor, before: Tensor) -> bool:
    return now.dtype == before.dtype and now.device == before.device and torch.equal(now, before)

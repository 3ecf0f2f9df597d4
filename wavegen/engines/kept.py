"""Engines that are kept from call to call, and made again where the model has changed."""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Engine = TypeVar("Engine")


class Kept(Generic[Engine]):
    """What ``make()`` makes of a model's weights, for as long as they stay the same.

    Weights are compared by value: the counts that torch keeps of changes leave out what fused optimisers do.
    A comparison costs a pass over the weights, packing them some ten times as much.

    Args:
        model: whose parameters, buffers and mode (training or not) are looked at.
        check: raises where the model's structure is none that ``make`` knows; called every time.
        make: packs the weights.
    """

    def __init__(self, model: nn.Module, check: Callable[[], None], make: Callable[[], Engine]) -> None:
        self.model, self.check, self.make = model, check, make
        self._engine: Engine | None = None
        self._seen: list[Tensor] = []
        self._mode: tuple[bool, ...] = ()

    def get(self) -> Engine:
        """The engine of the weights as they are now; raises what ``check`` and ``make`` raise."""
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

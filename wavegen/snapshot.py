"""Copies of tensors, to tell later whether they have changed."""

from collections.abc import Iterable

import torch
from torch import Tensor


class Snapshot:
    """Copies of tensors, compared by value.

    torch's version counters would cost nothing, but they miss the updates of fused optimisers.

    Example:
        >>> weights = [torch.zeros(2)]
        >>> seen = Snapshot(weights)
        >>> before = seen.equals(weights)
        >>> weights[0].data.add_(1)
        tensor([1., 1.])
        >>> before, seen.equals(weights)
        (True, False)
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self._copies = [tensor.detach().clone() for tensor in tensors]

    def equals(self, tensors: Iterable[Tensor]) -> bool:
        """Whether these are as many tensors with the same dtypes, devices and values. One pass over them."""
        now = list(tensors)
        return len(now) == len(self._copies) and all(map(_same, now, self._copies))


def _same(now: Tensor, before: Tensor) -> bool:
    return now.dtype == before.dtype and now.device == before.device and torch.equal(now, before)

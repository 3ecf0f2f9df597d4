"""Splits of vectors for couplings, and the interface of all splits."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.errors import UserError
from wavegen.flows.bijection import require_rank


class Split(nn.Module):
    """x ↔ (kept, moved), a rearrangement without parameters; its Jacobian is a permutation.

    ``forward(x)`` gives ``(kept, moved)``; ``merge(kept, moved)`` restores x exactly. ``event_dim`` is the
    number of trailing dimensions of an event, for x and both parts; the dimensions before are batch
    dimensions. ``shapes(event_shape)`` gives the shapes of both parts. All methods cost O(elements).

    Raises ``UserError`` if the event cannot be split.
    """

    event_dim: int

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def merge(self, kept: Tensor, moved: Tensor) -> Tensor:
        raise NotImplementedError

    def shapes(self, event_shape: Sequence[int]) -> tuple[torch.Size, torch.Size]:
        raise NotImplementedError

    @property
    def swapped(self) -> "Split":
        """The same split with kept and moved exchanged. ``split.swapped.swapped is split``."""
        return Swapped(self)


class Swapped(Split):
    """A split with kept and moved exchanged."""

    def __init__(self, split: Split) -> None:
        super().__init__()
        self.split = split
        self.event_dim = split.event_dim

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = self.split(x)
        return moved, kept

    def merge(self, kept: Tensor, moved: Tensor) -> Tensor:
        return self.split.merge(moved, kept)

    def shapes(self, event_shape: Sequence[int]) -> tuple[torch.Size, torch.Size]:
        kept, moved = self.split.shapes(event_shape)
        return moved, kept

    @property
    def swapped(self) -> Split:
        return self.split


class HalvedSplit(Split):
    """Base class of splits that keep ⌈n/2⌉ of the n entries of one dimension and move the other ⌊n/2⌋.

    ``dim`` (negative) is that dimension; ``entries`` is the name of its entries in messages.
    """

    dim: int
    entries: str

    def _kept_count(self, shape: Sequence[int]) -> int:
        require_rank(self, shape, self.event_dim)
        count = shape[self.dim]
        if count < 2:
            raise UserError(
                f"{type(self).__name__}: expected at least 2 {self.entries} to split, got shape "
                f"{tuple(shape)}"
            )
        return (count + 1) // 2

    def shapes(self, event_shape: Sequence[int]) -> tuple[torch.Size, torch.Size]:
        count = self._kept_count(event_shape)
        kept, moved = list(event_shape), list(event_shape)
        kept[self.dim], moved[self.dim] = count, event_shape[self.dim] - count
        return torch.Size(kept), torch.Size(moved)


class HalfSplit(HalvedSplit):
    """Keeps the first ⌈n/2⌉ features of a vector and moves the others. Event rank 1.

    Shapes: ``(..., n)`` ↔ ``(..., ⌈n/2⌉)``, ``(..., ⌊n/2⌋)``. Dinh et al. 2015, NICE (arXiv 1410.8516).
    """

    event_dim = 1
    dim, entries = -1, "features"

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        count = self._kept_count(x.shape)
        return x[..., :count], x[..., count:]

    def merge(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat((kept, moved), -1)


class AlternatingSplit(HalvedSplit):
    """Keeps the even features of a vector (0, 2, …) and moves the odd ones. Event rank 1.

    Shapes: ``(..., n)`` ↔ ``(..., ⌈n/2⌉)``, ``(..., ⌊n/2⌋)``. Dinh et al. 2015, NICE (arXiv 1410.8516).
    """

    event_dim = 1
    dim, entries = -1, "features"

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self._kept_count(x.shape)
        return x[..., 0::2], x[..., 1::2]

    def merge(self, kept: Tensor, moved: Tensor) -> Tensor:
        pairs = moved.shape[-1]
        merged = torch.stack((kept[..., :pairs], moved), -1).flatten(-2)
        return merged if kept.shape[-1] == pairs else torch.cat((merged, kept[..., pairs:]), -1)

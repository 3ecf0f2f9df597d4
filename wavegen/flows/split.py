"""How an event is divided into the part that steers a coupling and the part that it moves: vectors."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.errors import UserError
from wavegen.flows.bijection import require_rank


class Split(nn.Module):
    """x ↔ (kept, moved), a rearrangement without parameters; its Jacobian is a permutation.

    ``forward(x)`` gives ``(kept, moved)``, ``merge(kept, moved)`` puts them together again, exactly.
    ``event_dim`` counts the trailing dimensions of an event, of x and of both parts; dimensions before it are
    batch. ``shapes(event_shape)`` tells the shapes of both parts beforehand. All are O(elements).

    Raises ``UserError`` for an event that cannot be split so.
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
        """The same split with the roles exchanged. ``split.swapped.swapped is split``."""
        return Swapped(self)


class Swapped(Split):
    """The same division with the roles of the two parts exchanged."""

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
    """What splits have in common that divide n entries along one dimension, ⌈n/2⌉ kept and ⌊n/2⌋ moved.

    ``dim`` (negative) is the dimension divided, ``entries`` what its entries are called in messages.
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
    """The first ⌈n/2⌉ features of a vector are kept, the others moved. Event rank 1.

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
    """The even features of a vector (0, 2, …) are kept, the odd ones moved. Event rank 1.

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

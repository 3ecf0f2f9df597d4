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


class CountedSplit(Split):
    """Base class of splits that keep a number of the n entries of one dimension, by default ⌈n/2⌉.

    ``dim`` (negative) is that dimension; ``entries`` is the name of its entries in messages. Raises
    ``UserError`` unless at least one entry is kept and one is moved.
    """

    dim: int
    entries: str

    def __init__(self, num_kept: int | None = None) -> None:
        super().__init__()
        if num_kept is not None and num_kept < 1:
            raise UserError(f"{type(self).__name__} num_kept: expected at least 1, got {num_kept}")
        self.num_kept = num_kept

    def _kept_count(self, shape: Sequence[int]) -> int:
        require_rank(self, shape, self.event_dim)
        least = 2 if self.num_kept is None else self.num_kept + 1
        if shape[self.dim] < least:
            raise UserError(
                f"{type(self).__name__}: expected at least {least} {self.entries} to split, got shape "
                f"{tuple(shape)}"
            )
        return (shape[self.dim] + 1) // 2 if self.num_kept is None else self.num_kept

    def shapes(self, event_shape: Sequence[int]) -> tuple[torch.Size, torch.Size]:
        count = self._kept_count(event_shape)
        kept, moved = list(event_shape), list(event_shape)
        kept[self.dim], moved[self.dim] = count, event_shape[self.dim] - count
        return torch.Size(kept), torch.Size(moved)


class HalfSplit(CountedSplit):
    """Keeps the first ``num_kept`` features of a vector (⌈n/2⌉ by default), moves the others. Event rank 1.

    Shapes: ``(..., n)`` ↔ ``(..., num_kept)``, ``(..., n − num_kept)``. Dinh et al. 2015, NICE (arXiv
    1410.8516).
    """

    event_dim = 1
    dim, entries = -1, "features"

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        count = self._kept_count(x.shape)
        return x[..., :count], x[..., count:]

    def merge(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat((kept, moved), -1)


class AlternatingSplit(CountedSplit):
    """Keeps the even features of a vector (0, 2, …) and moves the odd ones. Event rank 1.

    Shapes: ``(..., n)`` ↔ ``(..., ⌈n/2⌉)``, ``(..., ⌊n/2⌋)``. Dinh et al. 2015, NICE (arXiv 1410.8516).
    """

    event_dim = 1
    dim, entries = -1, "features"

    def __init__(self) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self._kept_count(x.shape)
        return x[..., 0::2], x[..., 1::2]

    def merge(self, kept: Tensor, moved: Tensor) -> Tensor:
        pairs = moved.shape[-1]
        merged = torch.stack((kept[..., :pairs], moved), -1).flatten(-2)
        return merged if kept.shape[-1] == pairs else torch.cat((merged, kept[..., pairs:]), -1)


class MaskSplit(Split):
    """Keeps the entries of the event's first dimension where ``mask`` is true, and moves the others.

    These are the features of a vector (``event_dim=1``) or the channels of an image (3). Both parts keep the
    order of the entries. With ``swapped``, the complement is kept.

    Shapes: ``(..., n)`` ↔ ``(..., kept)``, ``(..., moved)``. Raises ``UserError`` if the mask keeps or moves
    nothing, or if the event has another number of entries.
    """

    def __init__(self, mask: Sequence[bool], event_dim: int = 1) -> None:
        super().__init__()
        kept = torch.as_tensor(mask, dtype=torch.bool)
        if kept.dim() != 1 or kept.all() or not kept.any():
            raise UserError(f"MaskSplit: expected a mask that keeps and moves entries, got {kept.tolist()}")
        if event_dim < 1:
            raise UserError(f"MaskSplit event_dim: expected at least 1, got {event_dim}")
        self.event_dim, self.num_entries = event_dim, len(kept)
        order = torch.cat([kept.nonzero(), (~kept).nonzero()]).squeeze(1)
        self.num_kept = int(kept.sum())
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("inverse_order", order.argsort(), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.shapes(x.shape)
        arranged = x.index_select(-self.event_dim, self.order)
        kept, moved = arranged.split([self.num_kept, self.num_entries - self.num_kept], -self.event_dim)
        return kept, moved

    def merge(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat((kept, moved), -self.event_dim).index_select(-self.event_dim, self.inverse_order)

    def shapes(self, event_shape: Sequence[int]) -> tuple[torch.Size, torch.Size]:
        require_rank(self, event_shape, self.event_dim)
        if event_shape[-self.event_dim] != self.num_entries:
            raise UserError(
                f"MaskSplit: expected {self.num_entries} entries in dimension −{self.event_dim}, got shape "
                f"{tuple(event_shape)}"
            )
        kept, moved = list(event_shape), list(event_shape)
        kept[-self.event_dim], moved[-self.event_dim] = self.num_kept, self.num_entries - self.num_kept
        return torch.Size(kept), torch.Size(moved)

    def extra_repr(self) -> str:
        return f"{self.num_kept} of {self.num_entries}, event_dim={self.event_dim}"

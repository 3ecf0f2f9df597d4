"""Splits of images for couplings: by channels, or by the colours of a checkerboard."""

from collections.abc import Sequence

import torch
from torch import Tensor

from wavegen.errors import UserError
from wavegen.flows.bijection import require_rank
from wavegen.flows.split import CountedSplit, Split


class ChannelSplit(CountedSplit):
    """Keeps the first ``num_kept`` channels of an image (⌈C/2⌉ by default), moves the others. Event rank 3.

    Shapes: ``(..., C, H, W)`` ↔ ``(..., num_kept, H, W)``, ``(..., C − num_kept, H, W)``.
    Dinh et al. 2017, RealNVP (arXiv 1605.08803), after a squeeze.
    """

    event_dim = 3
    dim, entries = -3, "channels"

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        count = self._kept_count(x.shape)
        return x[..., :count, :, :], x[..., count:, :, :]

    def merge(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat((kept, moved), -3)


class CheckerboardSplit(Split):
    """Keeps the pixels of one colour of a checkerboard and moves those of the other. Event rank 3.

    Each colour is packed into channels by cells of 2×2 pixels: (0, 0) and (1, 1) of a cell are kept, (0, 1)
    and (1, 0) are moved. Channels c and C + c of a part are its first and second position of channel c.

    Packing by cells is exact for a convolution: each channel of a part is a regular lattice of pixels, so an
    offset in the packed image is the same offset in pixels everywhere. Packing each row separately (even
    columns of even rows, odd columns of odd rows) is not: the entry below is one pixel to the right in even
    rows and to the left in odd rows, so one weight would have two meanings. RealNVP itself masks the image
    at full resolution. Its net then reads zeros at the moved pixels and computes unused parameters at the
    kept ones, so a pair of couplings costs twice as much.

    Shapes: ``(..., C, H, W)`` ↔ twice ``(..., 2 C, H/2, W/2)``. Raises ``UserError`` if H or W is odd.

    Dinh et al. 2017, RealNVP (arXiv 1605.08803), section 3.4.
    """

    event_dim = 3

    def _require_even(self, shape: Sequence[int]) -> None:
        require_rank(self, shape, self.event_dim)
        if shape[-2] % 2 or shape[-1] % 2:
            raise UserError(
                f"CheckerboardSplit: expected an even height and width, got shape {tuple(shape)} "
                "(channels, height, width last)"
            )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self._require_even(x.shape)
        kept = torch.cat((x[..., 0::2, 0::2], x[..., 1::2, 1::2]), -3)
        moved = torch.cat((x[..., 0::2, 1::2], x[..., 1::2, 0::2]), -3)
        return kept, moved

    def merge(self, kept: Tensor, moved: Tensor) -> Tensor:
        upper_left, lower_right = kept.chunk(2, -3)
        upper_right, lower_left = moved.chunk(2, -3)
        # Interleave columns, then rows: two plain copies. This is twice as fast as pixel_shuffle here, and
        # has no scatter in the gradient, unlike an assignment to strided slices.
        upper = torch.stack((upper_left, upper_right), -1).flatten(-2)
        lower = torch.stack((lower_left, lower_right), -1).flatten(-2)
        return torch.stack((upper, lower), -2).flatten(-3, -2)

    def shapes(self, event_shape: Sequence[int]) -> tuple[torch.Size, torch.Size]:
        self._require_even(event_shape)
        *leading, channels, height, width = event_shape
        part = torch.Size((*leading, 2 * channels, height // 2, width // 2))
        return part, part

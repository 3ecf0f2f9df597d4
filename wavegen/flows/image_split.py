"""How an image is divided into the part that steers a coupling and the part that it moves."""

from collections.abc import Sequence

import torch
from torch import Tensor

from wavegen.errors import UserError
from wavegen.flows.bijection import require_rank
from wavegen.flows.split import HalvedSplit, Split


class ChannelSplit(HalvedSplit):
    """The first ⌈C/2⌉ channels of an image are kept, the others moved. Event rank 3.

    Shapes: ``(..., C, H, W)`` ↔ ``(..., ⌈C/2⌉, H, W)``, ``(..., ⌊C/2⌋, H, W)``.
    Dinh et al. 2017, RealNVP (arXiv 1605.08803), behind a squeeze.
    """

    event_dim = 3
    dim, entries = -3, "channels"

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        count = self._kept_count(x.shape)
        return x[..., :count, :, :], x[..., count:, :, :]

    def merge(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat((kept, moved), -3)


class CheckerboardSplit(Split):
    """The pixels of one colour of a chessboard are kept, those of the other moved. Event rank 3.

    Each colour is packed into channels by cells of 2×2 pixels: of a cell, (0, 0) and (1, 1) are kept, (0, 1)
    and (1, 0) moved. Channels c and C + c of a part are its first and its second position of channel c.

    Cells are exact for a convolution: a channel of a part is a regular lattice of pixels, so one offset
    in the packed image is one and the same offset between pixels, wherever it is applied. Packing every row
    by itself, even columns of even rows beside odd columns of odd rows, is not: what lies below
    an entry is a pixel to the right of it in even rows and to the left in odd ones (the parity of the
    row shears the lattice), and one weight would have to mean both. RealNVP's own form masks the image
    at full resolution instead; its net reads zeros at the moved pixels and writes parameters at the kept
    ones that are thrown away: every position is computed twice in a pair of couplings, at twice the cost.

    Shapes: ``(..., C, H, W)`` ↔ twice ``(..., 2 C, H/2, W/2)``. Raises ``UserError`` for an odd H or W.

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
        # interleaved by columns, then by rows: two plain copies, twice as fast here as through pixel_shuffle,
        # and without the scatter that an assignment to strided slices is in the gradient
        upper = torch.stack((upper_left, upper_right), -1).flatten(-2)
        lower = torch.stack((lower_left, lower_right), -1).flatten(-2)
        return torch.stack((upper, lower), -2).flatten(-3, -2)

    def shapes(self, event_shape: Sequence[int]) -> tuple[torch.Size, torch.Size]:
        self._require_even(event_shape)
        *leading, channels, height, width = event_shape
        part = torch.Size((*leading, 2 * channels, height // 2, width // 2))
        return part, part

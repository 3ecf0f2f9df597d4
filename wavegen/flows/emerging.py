"""Autoregressive convolutions, invertible because they are causal, and pairs of them that see both sides."""

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError
from wavegen.flows.channels import ChannelBijection
from wavegen.flows.compose import Compose
from wavegen.flows.permutation import Reversal


class AutoregressiveConvolution(ChannelBijection):
    """z = K ∗ x, a causal d × d convolution with zero padding. Each output sees the rows above, the positions
    to the left, and at its own position the channels up to its own.

    In the order row, column, channel the Jacobian is triangular. Its diagonal is that of the centre tap,
    exp(kernel[c, c, centre]), so log_det = H · W · Σ_c kernel[c, c, centre]. The initial map is the identity.
    Non-causal taps of ``kernel`` are ignored.

    ``inverse`` solves row by row. Within a row the map is a triangular matrix M of C·W × C·W, the same for
    every row. Row h − j contributes through another matrix T_j: x_h = M⁻¹ z_h − Σ_j (M⁻¹ T_j) x_{h−j}. One
    batched triangular solve and d // 2 products per row suffice, all recorded by autograd.
    Cost of ``forward``: O(d² C² H W) per event. Cost of ``inverse``: O(d C² W² H) per event and O(d C³ W³)
    once per batch. Memory O(d C² W²); the matrix of the whole event would need (C H W)².

    The map cannot become singular. As with a recursive filter, its condition number may grow with the size
    of the image if other taps outweigh the diagonal.

    Shapes: ``(…, C, H, W)``. Raises ``UserError`` if the number of channels differs or d is even.

    Hoogeboom, van den Berg and Welling 2019, Emerging convolutions (arXiv 1901.11137).
    """

    def __init__(self, num_channels: int, kernel_size: int = 3) -> None:
        super().__init__(num_channels, event_dim=3)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise UserError(f"{type(self).__name__}: expected an odd kernel size, got {kernel_size}")
        self.reach = kernel_size // 2
        self.kernel = nn.Parameter(torch.zeros(num_channels, num_channels, kernel_size, kernel_size))
        before = torch.zeros_like(self.kernel)
        before[:, :, : self.reach] = 1.0
        before[:, :, self.reach, : self.reach] = 1.0
        before[:, :, self.reach, self.reach] = torch.ones(num_channels, num_channels).tril(-1)
        self.register_buffer("before", before, persistent=False)

    def masked_kernel(self) -> Tensor:
        """K: the causal taps, including the diagonal of the centre tap."""
        diagonal = torch.diag_embed(self._log_diagonal().exp())[:, :, None, None]
        reach = [self.reach] * 4
        return self.kernel * self.before + nn.functional.pad(diagonal, reach)

    def _log_diagonal(self) -> Tensor:
        return self.kernel[:, :, self.reach, self.reach].diagonal()

    def _log_det(self, value: Tensor) -> Tensor:
        batch_shape, positions = self.batch_and_positions(value)
        return (positions * self._log_diagonal().to(value.dtype).sum()).expand(batch_shape)

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (x,) = at_least_float32(x)
        log_det = self._log_det(x)
        with torch.autocast(x.device.type, enabled=False):
            images = x.reshape(-1, *x.shape[-3:])
            z = nn.functional.conv2d(images, self.masked_kernel().to(x.dtype), padding=self.reach)
        return z.reshape(x.shape), log_det

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (z,) = at_least_float32(z)
        log_det = -self._log_det(z)
        channels, height, width = z.shape[-3:]
        with torch.autocast(z.device.type, enabled=False):
            # (row, column and channel, batch): all batch members of a row are columns of one product
            rows = z.reshape(-1, channels, height, width).permute(2, 3, 1, 0).flatten(1, 2)
            x = self._solve_rows(rows, width)
        images = x.unflatten(1, (width, channels)).permute(3, 2, 0, 1)
        return images.reshape(z.shape), log_det

    def _solve_rows(self, rows: Tensor, width: int) -> Tensor:
        height, size, batch = rows.shape
        above = min(self.reach, height - 1)
        matrices = self._row_matrices(rows.dtype, width, above)
        columns = torch.cat([*matrices[1:], rows.permute(1, 0, 2).flatten(1)], dim=1)
        solved = torch.linalg.solve_triangular(matrices[0], columns, upper=False)
        blocks = solved.split([size] * above + [batch] * height, dim=1)
        x: list[Tensor] = []
        for row in blocks[above:]:
            # the rows above, nearest first
            for matrix, earlier in zip(blocks[:above], reversed(x), strict=False):
                row = torch.addmm(row, matrix, earlier, alpha=-1)
            x.append(row)
        return torch.stack(x)

    def _row_matrices(self, dtype: torch.dtype, width: int, above: int) -> list[Tensor]:
        """The matrices from a row, and from each of ``above`` rows over it (nearest first), to a row of z."""
        column = torch.arange(width, device=self.kernel.device)
        tap = column - column[:, None] + self.reach  # the tap from output column (first) to input (second)
        # taps outside the kernel point to a zero tap that is appended to it
        tap = tap.where((tap >= 0) & (tap <= 2 * self.reach), 2 * self.reach + 1)
        kernel = nn.functional.pad(self.masked_kernel().to(dtype), (0, 1))
        size = width * self.num_channels
        return [
            kernel[:, :, self.reach - j, tap].permute(2, 0, 3, 1).reshape(size, size)
            for j in range(above + 1)
        ]

    def extra_repr(self) -> str:
        return f"{self.num_channels}, kernel_size={2 * self.reach + 1}"


class EmergingConvolution(Compose):
    """z = K₂ ∗ (K₁ ∗ x): two d × d autoregressive convolutions of opposite order. Together they see every
    tap of a d × d kernel around a position, and some beyond.

    log_det = H · W · (sum of the logarithms of the diagonals of both centre taps). Cost, inverse and
    numerical notes are those of ``AutoregressiveConvolution``, twice, plus two copies. The initial map is
    the identity. In the paper it follows a 1×1 convolution
    (``Compose(LUConvolution(C), EmergingConvolution(C))``).

    Shapes: ``(…, C, H, W)``. Raises ``UserError`` if the number of channels differs or d is even.

    Hoogeboom, van den Berg and Welling 2019, Emerging convolutions (arXiv 1901.11137).
    """

    def __init__(self, num_channels: int, kernel_size: int = 3) -> None:
        super().__init__(
            AutoregressiveConvolution(num_channels, kernel_size),
            Reversal(event_dim=3),
            AutoregressiveConvolution(num_channels, kernel_size),
            Reversal(event_dim=3),
        )

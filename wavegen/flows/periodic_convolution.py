"""Convolutions with periodic boundaries, inverted frequency by frequency."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError
from wavegen.flows.channels import ChannelBijection
from wavegen.flows.factorisation import log_abs_det, random_rotation, require_full_rank


class PeriodicConvolution(ChannelBijection):
    """z = K ⊛ x, a d × d convolution with periodic boundaries: z_hw = Σ_ij K_ij x_{h+i−r, w+j−r}, r = d // 2,
    with positions modulo height and width.

    In the Fourier domain the map is block diagonal: ẑ_f = K̂_f x̂_f with a complex C × C matrix
    K̂_f = Σ_ij K_ij exp(2πi ((i−r) f₁ / height + (j−r) f₂ / width)). log_det = Σ_f log|det K̂_f|; the inverse
    multiplies by K̂_f⁻¹. x is real, so K̂_{−f} is the conjugate of K̂_f and only half of them are computed.
    The initial kernel is a random rotation in the centre tap, log_det 0.

    Cost O(C² H W + C H W log(H W)) per event and O(C³ H W) once per batch, in both directions and for any d;
    memory O(C² H W). The matrices are computed and factorised in complex128 and then cast.

    K is free, so some K̂_f may become singular. ``inverse`` then raises ``UserError``, and so does
    ``forward`` on a CPU. On an accelerator that check would synchronise in every layer; there it
    returns log_det = −∞. Also raises ``UserError`` if the event shape is not
    ``(num_channels, height, width)``, or if d is even or below 1.

    Shapes: ``(…, C, H, W)``.

    Hoogeboom, van den Berg and Welling 2019, Emerging convolutions (arXiv 1901.11137), section 3.2.
    """

    def __init__(self, num_channels: int, height: int, width: int, kernel_size: int = 3) -> None:
        super().__init__(num_channels, event_dim=3)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise UserError(f"PeriodicConvolution: expected an odd kernel size, got {kernel_size}")
        if height < 1 or width < 1:
            raise UserError(f"PeriodicConvolution: expected a height and width, got {height} and {width}")
        self.height, self.width = height, width
        kernel = torch.zeros(num_channels, num_channels, kernel_size, kernel_size)
        kernel[:, :, kernel_size // 2, kernel_size // 2] = random_rotation(num_channels)
        self.kernel = nn.Parameter(kernel)

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        shape = super().forward_shape(event_shape)
        if tuple(shape[-2:]) != (self.height, self.width):
            raise UserError(
                f"PeriodicConvolution: expected events of shape "
                f"{(self.num_channels, self.height, self.width)}, got shape {tuple(event_shape)}"
            )
        return shape

    def _spectrum(self) -> Tensor:
        """K̂ ``(height, width // 2 + 1, C, C)`` in complex128."""
        rows = _phases(self.kernel, self.height, self.height)
        columns = _phases(self.kernel, self.width, self.width // 2 + 1)
        kernel = self.kernel.to(torch.complex128)
        return torch.einsum("ocij,fi,gj->fgoc", kernel, rows, columns)

    def _log_abs_det(self, lu: Tensor) -> Tensor:
        # The frequencies that are not computed are conjugates of the others. The first column, and the last
        # for an even width, have no conjugate column.
        halves = log_abs_det(lu)
        total = 2.0 * halves.sum() - halves[:, 0].sum()
        return total - halves[:, -1].sum() if self.width % 2 == 0 else total

    def _multiply(self, spectrum: Tensor, value: Tensor) -> Tensor:
        if not value.numel():  # which some libraries of Fourier transforms refuse
            return value
        images = value.reshape(-1, *value.shape[-3:])
        frequencies = torch.fft.rfft2(images).permute(2, 3, 1, 0)
        product = spectrum.to(frequencies.dtype) @ frequencies
        return torch.fft.irfft2(product.permute(3, 2, 0, 1), s=(self.height, self.width)).reshape(value.shape)

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        batch_shape, _ = self.batch_and_positions(x)
        (x,) = at_least_float32(x)
        with torch.autocast(x.device.type, enabled=False):
            spectrum = self._spectrum()
            lu, _, _ = torch.linalg.lu_factor_ex(spectrum)
            if lu.device.type == "cpu":
                require_full_rank(self, lu)
            return self._multiply(spectrum, x), self._log_abs_det(lu).to(x.dtype).expand(batch_shape)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        batch_shape, _ = self.batch_and_positions(z)
        (z,) = at_least_float32(z)
        with torch.autocast(z.device.type, enabled=False):
            lu, pivots, _ = torch.linalg.lu_factor_ex(self._spectrum())
            require_full_rank(self, lu)
            identity = torch.eye(self.num_channels, dtype=lu.dtype, device=lu.device)
            inverse = torch.linalg.lu_solve(lu, pivots, identity.expand_as(lu))
            return self._multiply(inverse, z), -self._log_abs_det(lu).to(z.dtype).expand(batch_shape)

    def extra_repr(self) -> str:
        return f"{self.num_channels}, {self.height}, {self.width}, kernel_size={self.kernel.shape[-1]}"


def _phases(kernel: Tensor, size: int, num_frequencies: int) -> Tensor:
    """exp(2πi f (tap − centre) / size) for all frequencies f and taps, along one side of the image."""
    taps = torch.arange(kernel.shape[-1], device=kernel.device) - kernel.shape[-1] // 2
    # reduced modulo whole turns in integers, which is exact
    turns = torch.arange(num_frequencies, device=kernel.device)[:, None] * taps % size
    angle = turns.double() * (2.0 * math.pi / size)
    return torch.polar(torch.ones_like(angle), angle)

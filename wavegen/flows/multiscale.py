"""Layers of multi-scale image flows: squeezing, and factoring out channels."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wavegen.distributions.batches import Context, sum_last
from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection, no_log_det, require_rank


class Squeeze(Bijection):
    """``(channels, height, width)`` → ``(f² channels, height / f, width / f)``: f×f cells become channels.

    The cell of channel c becomes channels f²c … f²c + f² − 1, row by row; log_det = 0, cost one copy,
    O(C·H·W). ``.inv`` unpacks the cells.

    Raises ``UserError`` if ``factor`` is less than 2, or does not divide the height or width.

    Dinh et al. 2017, RealNVP (arXiv 1605.08803), section 3.6.
    """

    event_dim = 3

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        if factor < 2:
            raise UserError(f"Squeeze factor: expected at least 2, got {factor}")
        self.factor = factor

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        # torch does not change the shape of an empty batch, hence the reshape
        shape = self.forward_shape(x.shape)
        return F.pixel_unshuffle(x, self.factor).reshape(shape), no_log_det(x, 3)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        shape = self.inverse_shape(z.shape)
        return F.pixel_shuffle(z, self.factor).reshape(shape), no_log_det(z, 3)

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        require_rank(self, event_shape, 3)
        *lead, channels, height, width = event_shape
        if height % self.factor or width % self.factor:
            raise UserError(
                f"Squeeze: expected a height and width divisible by {self.factor}, got {height} × {width}"
            )
        return torch.Size((*lead, channels * self.factor**2, height // self.factor, width // self.factor))

    def inverse_shape(self, event_shape: Sequence[int]) -> torch.Size:
        require_rank(self, event_shape, 3)
        *lead, channels, height, width = event_shape
        if channels % self.factor**2:
            raise UserError(f"Squeeze: expected channels divisible by {self.factor**2}, got {channels}")
        return torch.Size((*lead, channels // self.factor**2, height * self.factor, width * self.factor))

    def extra_repr(self) -> str:
        return f"factor={self.factor}"


class FactorOut(Bijection):
    """Passes the first half of the channels through ``inner``; the second half goes to the latent directly.

    With x = (a, b) along the channels: z = (inner(a), squeezed b). b is squeezed to the resolution of the
    output of ``inner``, so that a model of any number of scales has one latent tensor, with the coarsest
    scale first. log_det is that of ``inner``. The inner layers process half of the elements, so the cost of
    a multi-scale flow is a geometric series.

    The prior of the factored-out b is that of the base, hence independent of a. A *learned* prior p(b | a)
    needs no code here: N(b; μ(a), σ(a)) is the affine map (b − μ(a)) / σ(a) over a standard normal, i.e. a
    ``Coupling`` of ``ChannelSplit`` and ``Affine`` in front of this layer.

    Raises ``UserError`` if the number of channels is odd, or if ``inner`` is not a bijection between events
    of three dimensions.

    Dinh et al. 2017 (arXiv 1605.08803), section 3.6; learned priors, Kingma and Dhariwal 2018, Glow
    (1807.03039), their code.
    """

    event_dim = 3

    def __init__(self, inner: Bijection) -> None:
        super().__init__()
        if not isinstance(inner, Bijection):
            raise UserError(f"FactorOut: expected an inner bijection, got {type(inner).__name__}")
        if inner.event_dim > 3 or inner.latent_event_dim != inner.event_dim:
            raise UserError(
                f"FactorOut: expected an inner bijection from images to images, got one from rank "
                f"{inner.event_dim} to rank {inner.latent_event_dim}"
            )
        self.inner = inner

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self._half(x.shape)
        kept, factored_out = x.chunk(2, dim=-3)
        kept, log_det = self.inner(kept, context)
        for factor in _factors(factored_out.shape[-2] // kept.shape[-2]):
            factored_out, _ = Squeeze(factor)(factored_out)
        return torch.cat([kept, factored_out], dim=-3), sum_last(log_det, 3 - self.inner.event_dim)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self._half(z.shape)
        # both halves of x have the same number of elements, whatever their shapes in z
        kept, factored_out = z.chunk(2, dim=-3)
        kept, log_det = self.inner.inverse(kept, context)
        for factor in reversed(_factors(kept.shape[-2] // factored_out.shape[-2])):
            factored_out, _ = Squeeze(factor).inverse(factored_out)
        return torch.cat([kept, factored_out], dim=-3), sum_last(log_det, 3 - self.inner.event_dim)

    def _half(self, event_shape: Sequence[int]) -> int:
        require_rank(self, event_shape, 3)
        channels = event_shape[-3]
        if channels % 2:
            raise UserError(f"FactorOut: expected an even number of channels, got {channels}")
        return channels // 2

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        return self._through(event_shape, self.inner.forward_shape)

    def inverse_shape(self, event_shape: Sequence[int]) -> torch.Size:
        return self._through(event_shape, self.inner.inverse_shape)

    def _through(self, event_shape: Sequence[int], shape_of) -> torch.Size:
        half = self._half(event_shape)
        *lead, _, height, width = event_shape
        channels, height, width = shape_of((half, height, width))
        return torch.Size((*lead, 2 * channels, height, width))


def _factors(ratio: int) -> list[int]:
    """The factors of the squeezes that reduce a side by ``ratio``: twos first, then the rest at once."""
    factors = []
    while ratio > 1:
        factors.append(2 if ratio % 2 == 0 else ratio)
        ratio //= factors[-1]
    return factors

"""The normal distribution by location and log-scale, and its exact probabilities on a grid."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.types import _size

from wavegen.distributions.precision import at_least_float32, open_unit_interval

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
# Positive nodes and weights of the eight-point Gauss–Legendre rule on [−1, 1].
_NODES = (0.1834346424956498, 0.5255324099163290, 0.7966664774136267, 0.9602898564975363)
_WEIGHTS = (0.3626837833783620, 0.3137066458778873, 0.2223810344533745, 0.1012285362903763)


class Normal(Distribution):
    r"""p(x) = exp(−u² / 2) / (s √(2π)) with u = (x − loc) / s, s = exp(log_scale).

    Unlike ``torch.distributions.Normal``, it is parametrised by the log-scale, which needs no positivity
    check and no logarithm, and its ``log_cdf`` and ``log_survival`` are exact in both tails. Shapes: ``loc``
    and ``log_scale`` broadcast to the batch shape; the event shape is ().
    """

    arg_constraints = {"loc": constraints.real, "log_scale": constraints.real}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc: Tensor, log_scale: Tensor, validate_args: bool | None = False) -> None:
        self.loc, self.log_scale = torch.broadcast_tensors(*at_least_float32(loc, log_scale))
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: _size, _instance: Distribution | None = None) -> "Normal":
        batch_shape = torch.Size(batch_shape)
        return Normal(self.loc.expand(batch_shape), self.log_scale.expand(batch_shape))

    @property
    def scale(self) -> Tensor:
        return torch.exp(self.log_scale)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def stddev(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        return torch.exp(2 * self.log_scale)

    def _standardise(self, value: Tensor) -> Tensor:
        return (value.to(self.loc.dtype) - self.loc) * torch.exp(-self.log_scale)

    def log_prob(self, value: Tensor) -> Tensor:
        u = self._standardise(value)
        return -0.5 * u * u - self.log_scale - _HALF_LOG_TWO_PI

    def cdf(self, value: Tensor) -> Tensor:
        return torch.special.ndtr(self._standardise(value))

    def log_cdf(self, value: Tensor) -> Tensor:
        return torch.special.log_ndtr(self._standardise(value))

    def log_survival(self, value: Tensor) -> Tensor:
        """log P(X > value)."""
        return torch.special.log_ndtr(-self._standardise(value))

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * torch.special.ndtri(value.to(self.loc.dtype))

    def rsample(self, sample_shape: _size = torch.Size()) -> Tensor:  # noqa: B008
        shape = self._extended_shape(sample_shape)
        return self.loc + self.scale * torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)

    @torch.no_grad()
    def sample_from_uniforms(
        self, u_component: Tensor | None, u_value: Tensor, temperature: float | Tensor = 1.0
    ) -> Tensor:
        """loc + T · s · Φ⁻¹(u_value). There is only one component, so ``u_component`` is ignored; it is a
        parameter so that all heads have the same signature.
        """
        return self.loc + temperature * self.scale * torch.special.ndtri(
            open_unit_interval(u_value.to(self.loc.dtype))
        )

    def entropy(self) -> Tensor:
        return self.log_scale + 0.5 + _HALF_LOG_TWO_PI


class DiscretizedNormal(Distribution):
    r"""P(x) = Φ(a) − Φ(b); a and b are the edges x ± step/2 in units of the scale. The two end bins are open.

    There is no floor: ``log_normal_interval`` computes the logarithm of the difference. Shapes: ``loc``,
    ``log_scale`` and ``value`` broadcast; ``value`` holds grid points low, low + step, …, high.
    Log-probabilities are in nats and of mass.
    """

    arg_constraints = {"loc": constraints.real, "log_scale": constraints.real}
    support = constraints.real

    def __init__(
        self,
        loc: Tensor,
        log_scale: Tensor,
        step: float = 2.0**-15,
        low: float = -1.0,
        high: float = 1.0 - 2.0**-15,
        validate_args: bool | None = False,
    ) -> None:
        self.loc, self.log_scale = torch.broadcast_tensors(*at_least_float32(loc, log_scale))
        self.step, self.low, self.high = step, low, high
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: _size, _instance: Distribution | None = None) -> "DiscretizedNormal":
        batch_shape = torch.Size(batch_shape)
        loc, log_scale = self.loc.expand(batch_shape), self.log_scale.expand(batch_shape)
        return DiscretizedNormal(loc, log_scale, self.step, self.low, self.high)

    @property
    def continuous(self) -> Normal:
        """The continuous density that is discretised."""
        return Normal(self.loc, self.log_scale)

    @property
    def mean(self) -> Tensor:
        """The mean of the continuous normal."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The variance of the continuous normal."""
        return torch.exp(2 * self.log_scale)

    def log_prob(self, value: Tensor) -> Tensor:
        value = value.to(self.loc.dtype)
        inverse_scale = torch.exp(-self.log_scale)
        u = (value - self.loc) * inverse_scale
        half_width = 0.5 * self.step * inverse_scale
        inner = log_normal_interval(u, half_width, math.log(self.step) - self.log_scale)
        inner = torch.where(
            value > self.high - 0.5 * self.step, torch.special.log_ndtr(half_width - u), inner
        )
        return torch.where(value < self.low + 0.5 * self.step, torch.special.log_ndtr(u + half_width), inner)

    def to_grid(self, value: Tensor) -> Tensor:
        """The nearest grid point."""
        index = torch.round((value - self.low) / self.step)
        return (self.low + self.step * index).clamp(self.low, self.high)

    def sample(self, sample_shape: _size = torch.Size()) -> Tensor:  # noqa: B008
        return self.to_grid(self.continuous.sample(sample_shape))

    def sample_from_uniforms(
        self, u_component: Tensor | None, u_value: Tensor, temperature: float | Tensor = 1.0
    ) -> Tensor:
        """As ``Normal.sample_from_uniforms``, rounded to the grid and clipped to its ends."""
        return self.to_grid(self.continuous.sample_from_uniforms(u_component, u_value, temperature))


def log_normal_interval(u: Tensor, half_width: Tensor, log_width: Tensor) -> Tensor:
    r"""log[Φ(u + h) − Φ(u − h)], exact to the precision of the dtype everywhere, for wide and narrow bins.

    Wide bins (2h ≥ 1 or 2h|u| ≥ 1): reflected into the left tail, with A = logΦ(h − |u|) and B = logΦ(−h −
    |u|), the result is A + log(1 − e^(B − A)). Narrow bins: A and B agree in almost all digits, so the
    density is integrated over the bin instead, log φ(u) + log(2h) + log ½∫ e^(−uht − (ht)²/2) dt over
    [−1, 1]. The exponent is below 5/8, and an eight-point Gauss–Legendre rule is exact to float64.
    """
    distance = u.abs()
    narrow = (half_width < 0.5) & (half_width * distance < 0.5)
    zero, one = torch.zeros_like(u), torch.ones_like(u)

    wide_half, wide_distance = torch.where(narrow, one, half_width), torch.where(narrow, zero, distance)
    upper = torch.special.log_ndtr(wide_half - wide_distance)
    lower = torch.special.log_ndtr(-wide_half - wide_distance)
    by_tails = upper + torch.log1p(-torch.exp(lower - upper))

    narrow_half, narrow_u = torch.where(narrow, half_width, zero), torch.where(narrow, u, zero)
    excess = torch.zeros_like(u)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        t = narrow_half * node
        excess = excess + weight * (torch.exp(-0.5 * t * t) * torch.cosh(narrow_u * t))
    by_integral = -0.5 * narrow_u * narrow_u - _HALF_LOG_TWO_PI + log_width + torch.log(excess)
    return torch.where(narrow, by_integral, by_tails)

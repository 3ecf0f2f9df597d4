"""Monotone elementwise maps without conditioner: fixed maps, and a leaky ReLU with learned slopes.

All are in closed form in both directions and cost O(1) per element.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32, bounded_logit
from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection
from wavegen.flows.elementwise import PerElement


class Sigmoid(Bijection):
    """z = σ(x), log|dz/dx| = logσ(x) + logσ(−x); any shape, event rank 0."""

    event_dim = 0

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (x,) = at_least_float32(x)
        return torch.sigmoid(x), _log_slope(x)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (z,) = at_least_float32(z)
        # values rounded to 0 or 1 are replaced by the nearest float inside the interval
        x = bounded_logit(z)
        return x, -_log_slope(x)


class Logit(Bijection):
    """z = log(x / (1 − x)) on (0, 1), log|dz/dx| = −log x − log(1 − x); any shape, event rank 0."""

    event_dim = 0

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (x,) = at_least_float32(x)
        z = bounded_logit(x)
        return z, -_log_slope(z)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (z,) = at_least_float32(z)
        return torch.sigmoid(z), _log_slope(z)


class Softplus(Bijection):
    """z = log(1 + eˣ) > 0, log|dz/dx| = logσ(x); any shape, event rank 0.

    Inverse x = z + log(1 − e⁻ᶻ). If z underflows to 0 (in float32 below x ≈ −87), the inverse uses the
    smallest normal number instead.
    """

    event_dim = 0

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (x,) = at_least_float32(x)
        # F.softplus is linear above 20: an error of 2e-9 that its derivative does not have; logσ is exact
        return -F.logsigmoid(-x), F.logsigmoid(x)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (z,) = at_least_float32(z)
        log_slope = _log1mexp(z.clamp(min=torch.finfo(z.dtype).tiny))
        return z + log_slope, -log_slope


class Tanh(Bijection):
    """z = tanh x, log|dz/dx| = log(1 − tanh² x) = 2 (log 2 − x − log(1 + e⁻²ˣ)); any shape, event rank 0.

    The second form does not cancel in the tails, where 1 − tanh² x rounds to 0. The inverse is
    x = (log(1 + z) − log(1 − z)) / 2. It replaces values rounded to ±1 by the nearest float inside the
    interval, and so reaches |x| ≈ 8.7 in float32.
    """

    event_dim = 0

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (x,) = at_least_float32(x)
        return torch.tanh(x), 2 * (math.log(2.0) - x + F.logsigmoid(2 * x))

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (z,) = at_least_float32(z)
        largest = 1.0 - torch.finfo(z.dtype).eps / 2
        z = z.clamp(-largest, largest)
        above, below = torch.log1p(z), torch.log1p(-z)
        return (above - below) / 2, -(above + below)


class LeakyReLU(Bijection):
    """z = x for x ≥ 0, else slope · x; log|dz/dx| = 0 or log slope; any shape, event rank 0.

    The map is piecewise linear, so the density jumps at 0. Raises ``UserError`` if the slope is not positive.
    """

    event_dim = 0

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = _positive(self, negative_slope)
        self._log_slope = math.log(negative_slope)

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (x,) = at_least_float32(x)
        return _leaky(x, self.negative_slope, self._log_slope)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (z,) = at_least_float32(z)
        return _leaky(z, 1 / self.negative_slope, -self._log_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class LearnableLeakyReLU(PerElement):
    """``LeakyReLU`` with learned slopes, parametrised by their logarithms so that they stay positive.

    Every entry of the trailing ``shape`` has its own slope: () for one slope, (n,) for one per feature,
    (C, 1, 1) for one per channel. Event rank 0. Raises ``UserError`` if the initial slope is not positive or
    if the last dimensions of a value do not match ``shape``.

    He et al. 2015, PReLU (arXiv 1502.01852), which leaves the slopes free.
    """

    def __init__(self, *, shape: Sequence[int] = (), initial_slope: float = 0.25) -> None:
        super().__init__(shape)
        log_slope = math.log(_positive(self, initial_slope))
        self.log_negative_slope = nn.Parameter(torch.full(tuple(shape), log_slope))

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self.require_shape(x)
        (x,) = at_least_float32(x)
        return _leaky(x, self.log_negative_slope.exp(), self.log_negative_slope)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self.require_shape(z)
        (z,) = at_least_float32(z)
        return _leaky(z, torch.exp(-self.log_negative_slope), -self.log_negative_slope)


def _positive(owner: nn.Module, slope: float) -> float:
    if not 0 < slope < math.inf:
        raise UserError(f"{type(owner).__name__} slope: expected a positive number, got {slope}")
    return slope


def _leaky(value: Tensor, slope: Tensor | float, log_slope: Tensor | float) -> tuple[Tensor, Tensor]:
    below = value < 0
    return torch.where(below, slope * value, value), torch.where(below, log_slope, torch.zeros_like(value))


def _log_slope(x: Tensor) -> Tensor:
    return 2 * F.logsigmoid(x) - x


def _log1mexp(z: Tensor) -> Tensor:
    """log(1 − e⁻ᶻ) for z > 0: uses expm1 near zero and log1p elsewhere, where each is accurate."""
    near = z < math.log(2.0)
    # both branches get inputs that are finite for them, so that gradients are finite
    by_expm1 = torch.log(-torch.expm1(-torch.where(near, z, 1.0)))
    by_log1p = torch.log1p(-torch.exp(-torch.where(near, 1.0, z)))
    return torch.where(near, by_expm1, by_log1p)

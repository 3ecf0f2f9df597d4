"""Monotone maps of one element that depend on nothing else: fixed ones, and one with a slope to learn.

All are closed both ways, O(1) an element.
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
        # values that rounded to 0 or 1 are brought back to the nearest float inside
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

    Inverse x = z + log(1 − e⁻ᶻ). Where z underflows to 0 (in float32 below x ≈ −87) the inverse takes the
    smallest normal number in its place.
    """

    event_dim = 0

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (x,) = at_least_float32(x)
        # F.softplus turns linear at 20, an error of 2e-9 that is not the derivative's; logσ is exact
        return -F.logsigmoid(-x), F.logsigmoid(x)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (z,) = at_least_float32(z)
        log_slope = _log1mexp(z.clamp(min=torch.finfo(z.dtype).tiny))
        return z + log_slope, -log_slope


class Tanh(Bijection):
    """z = tanh x, log|dz/dx| = log(1 − tanh² x) = 2 (log 2 − x − log(1 + e⁻²ˣ)); any shape, event rank 0.

    The second form does not cancel in the tails, where 1 − tanh² x rounds to 0. The inverse
    x = (log(1 + z) − log(1 − z)) / 2 brings values that rounded to ±1 back to the nearest float inside: in
    float32 it reaches |x| ≈ 8.7.
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
    """z = x for x ≥ 0 and slope · x below, log|dz/dx| = 0 and log slope; any shape, event rank 0.

    Piecewise linear: the density has a jump at 0. Raises ``UserError`` for a slope that is not positive.
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
    """``LeakyReLU`` with slopes to learn, by their logarithm, so that none becomes zero; event rank 0.

    ``shape`` is the trailing shape that has a slope each, () for one slope, (n,) for one per feature,
    (C, 1, 1) for one per channel. Raises ``UserError`` for an initial slope that is not positive, and for
    values whose last dimensions are others than ``shape``.

    He et al. 2015, PReLU (arXiv 1502.01852), there with free slopes.
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
    """log(1 − e⁻ᶻ) for z > 0: by expm1 near zero, by log1p far from it, where each keeps its digits."""
    near = z < math.log(2.0)
    # both branches see values that are harmless to them, for the gradient's sake
    by_expm1 = torch.log(-torch.expm1(-torch.where(near, z, 1.0)))
    by_log1p = torch.log1p(-torch.exp(-torch.where(near, 1.0, z)))
    return torch.where(near, by_expm1, by_log1p)

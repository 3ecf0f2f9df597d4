"""The monotone rational-quadratic spline of one element: neural spline flows."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError


class RationalQuadraticSpline(nn.Module):
    """τ on [−bound, bound]: K bins, each a ratio of two quadratics; the identity outside the interval.

    In bin k, of width w, height h and slope s = h / w, with the derivatives d_0, d_1 at its ends and
    θ = (x − x_k) / w,

        z = z_k + h (s θ² + d_0 θ(1 − θ)) / (s + (d_0 + d_1 − 2s) θ(1 − θ)),
        dz/dx = s² (d_1 θ² + 2s θ(1 − θ) + d_0 (1 − θ)²) / (s + (d_0 + d_1 − 2s) θ(1 − θ))².

    The derivative is 1 at ±bound and therefore continuous everywhere. The inverse is the root of a
    quadratic. Both directions cost O(K) per element.

    Parameters: widths | heights | derivatives, K + K + (K − 1), all unnormalised. Softmax gives widths and
    heights, softplus the derivatives at the inner knots. The softplus is shifted so that 0 gives derivative
    1; all parameters zero (the initial output of a conditioner) give the identity. ``min_bin_width`` and
    ``min_bin_height`` are fractions of the interval of length 2 bound; together with ``min_derivative`` they
    bound dz/dx away from 0 and infinity.

    Shapes: ``x`` any, ``parameters`` ``x.shape + (3 K − 1,)``; results of x's shape.

    Raises ``UserError`` if there are fewer than two bins, a bound or minimum is not positive, the minima
    exceed the interval, or ``min_derivative`` is 1 or more.

    Gregory and Delbourgo 1982; Durkan et al. 2019, neural spline flows (arXiv 1906.04032).
    """

    def __init__(
        self,
        num_bins: int = 8,
        bound: float = 3.0,
        min_bin_width: float = 1e-3,
        min_bin_height: float = 1e-3,
        min_derivative: float = 1e-3,
    ) -> None:
        super().__init__()
        if num_bins < 2:
            raise UserError(f"RationalQuadraticSpline num_bins: expected at least 2, got {num_bins}")
        if not 0 < bound < math.inf:
            raise UserError(f"RationalQuadraticSpline bound: expected a positive number, got {bound}")
        for name, minimum in (("min_bin_width", min_bin_width), ("min_bin_height", min_bin_height)):
            if not 0 < minimum * num_bins < 1:
                raise UserError(
                    f"RationalQuadraticSpline {name}: expected more than 0 and less than 1 / {num_bins} (a "
                    f"fraction of the interval, which holds {num_bins} bins), got {minimum}"
                )
        if not 0 < min_derivative < 1:
            raise UserError(
                f"RationalQuadraticSpline min_derivative: expected between 0 and 1, got {min_derivative}"
            )
        self.num_bins, self.bound = num_bins, bound
        self.min_bin_width, self.min_bin_height = min_bin_width, min_bin_height
        self.min_derivative = min_derivative
        self.num_parameters = 3 * num_bins - 1
        # softplus of this is 1 − min_derivative
        self._derivative_shift = math.log(math.expm1(1.0 - min_derivative))

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        x, parameters = at_least_float32(x, parameters)
        # Outside values are clamped to the nearest end, where everything is finite, and replaced afterwards.
        # Otherwise a NaN in the branch not taken would reach the gradient.
        inner = x.clamp(-self.bound, self.bound)
        left, bottom, width, height, d0, d1 = self._bin_of(inner, parameters, axis=0)
        slope = height / width
        theta = (inner - left) / width
        cross = theta * (1 - theta)
        numerator = slope * theta.square() + d0 * cross
        z = bottom + height * numerator / _denominator(theta, slope, d0, d1)
        log_derivative = _log_derivative(theta, slope, d0, d1)
        return self._identity_outside(x, self._within(z), log_derivative)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        z, parameters = at_least_float32(z, parameters)
        inner = z.clamp(-self.bound, self.bound)
        left, bottom, width, height, d0, d1 = self._bin_of(inner, parameters, axis=1)
        slope = height / width
        theta = _solve((inner - bottom) / height, slope, d0, d1)
        x = left + width * theta
        log_derivative = _log_derivative(theta, slope, d0, d1)
        return self._identity_outside(z, self._within(x), -log_derivative)

    def _identity_outside(self, value: Tensor, result: Tensor, term: Tensor) -> tuple[Tensor, Tensor]:
        inside = value.abs() <= self.bound
        return torch.where(inside, result, value), torch.where(inside, term, torch.zeros_like(term))

    def _within(self, result: Tensor) -> Tensor:
        """Moved back into the interval if rounding has left it, by a shift that has no gradient."""
        return result + (result.clamp(-self.bound, self.bound) - result).detach()

    def _knots(self, unnormalised: Tensor, minimum: float) -> Tensor:
        """K + 1 increasing knots from −bound to bound."""
        fractions = minimum + (1 - minimum * self.num_bins) * torch.softmax(unnormalised, -1)
        inner = self.bound * (2 * fractions.cumsum(-1)[..., :-1] - 1)
        # the ends are exact, so that every value within the bounds is in a bin
        return F.pad(F.pad(inner, (1, 0), value=-self.bound), (0, 1), value=self.bound)

    def _bin_of(self, value: Tensor, parameters: Tensor, axis: int) -> tuple[Tensor, ...]:
        """Left, bottom, width, height and both derivatives of the bin that contains ``value`` on ``axis``
        (0: x, 1: z), each with the shape of ``value``.
        """
        widths, heights, derivatives = parameters.split((self.num_bins, self.num_bins, self.num_bins - 1), -1)
        horizontal = self._knots(widths, self.min_bin_width)
        vertical = self._knots(heights, self.min_bin_height)
        derivatives = self.min_derivative + F.softplus(derivatives + self._derivative_shift)
        derivatives = F.pad(derivatives, (1, 1), value=1.0)
        knots = torch.stack((horizontal, vertical, derivatives), -2)
        # only inner knots are counted, so that both ends belong to the end bins
        index = (value.detach().unsqueeze(-1) >= knots[..., axis, 1:-1].detach()).sum(-1)
        pair = torch.stack((index, index + 1), -1).unsqueeze(-2).expand(*index.shape, 3, 2)
        (left, right), (bottom, top), (d0, d1) = (end.unbind(-1) for end in knots.gather(-1, pair).unbind(-2))
        # Widths and heights are differences of the knots, not the fractions that were summed. In float32 the
        # two disagree by some 1e-4 of a narrow bin. Differences give a slightly different spline whose
        # continuity, inverse and log-derivative are exact; fractions give jumps at the knots.
        return left, bottom, right - left, top - bottom, d0, d1


def _denominator(theta: Tensor, slope: Tensor, d0: Tensor, d1: Tensor) -> Tensor:
    """s + (d_0 + d_1 − 2s) θ(1 − θ) as a sum of positive terms: no cancellation, and at least s / 2."""
    return slope * (theta.square() + (1 - theta).square()) + (d0 + d1) * theta * (1 - theta)


def _log_derivative(theta: Tensor, slope: Tensor, d0: Tensor, d1: Tensor) -> Tensor:
    rest = 1 - theta
    numerator = d1 * theta.square() + 2 * slope * theta * rest + d0 * rest.square()
    return torch.log(numerator * (slope / _denominator(theta, slope, d0, d1)).square())


def _solve(eta: Tensor, slope: Tensor, d0: Tensor, d1: Tensor) -> Tensor:
    """θ ∈ [0, 1] at which the spline has reached the fraction η of the height of its bin.

    The equation is a θ² + b θ − η s = 0 with b = g + 2s η, g = d_0 (1 − η) − d_1 η, and a = s − b. Its
    discriminant b² + 4 a η s equals g² + 4 s² η(1 − η), a sum of squares. It is never negative by rounding
    and never zero (d_0, d_1 > 0), so its root has a gradient. For g ≥ 0, θ = 2s η / (b + √·) does not
    cancel. For g < 0, the mirrored form 1 − θ = 2s (1 − η) / (2s (1 − η) − g + √·) does not.
    """
    rest = 1 - eta
    tilt = d0 * rest - d1 * eta
    root = torch.sqrt(tilt.square() + 4 * slope.square() * eta * rest)
    from_left = tilt >= 0
    near = torch.where(from_left, eta, rest)
    near = 2 * slope * near / (2 * slope * near + tilt.abs() + root)
    return torch.where(from_left, near, 1 - near)

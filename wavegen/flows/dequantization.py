"""Dequantisation, the first layer of every image model: from whole levels to a density on the unit cube.

Let x be an image of D whole levels 0 … L − 1 and p_v a density over the real D-cube [0, L)^D. The probability
of x under p_v is the mass of the unit cell at x, which is a proper probability mass function,

    P(x) = ∫_[0,1)^D p_v(x + u) du .

For any density q(u | x) on the unit cube, log P(x) = log E_q [p_v(x + u) / q(u | x)], and by Jensen

    log P(x) ≥ E_q [log p_v(x + u) − log q(u | x)],

with equality if and only if q(u | x) is the posterior p_v(x + u) / P(x). The next layer of the model takes
y = v / L in [0, 1)^D instead of v; the change of variables is p_v(v) = p_y(v / L) · L^−D. Hence

    log P(x) ≥ E_q [log p_y(y) − log q(u | x) − D log L],   y = (x + u) / L,

and the term of the layer is −log q(u | x) − D log L, which includes the constant of the rescaling. Held-out
bits per dimension are −log_prob / (D ln 2), D = C·H·W, without any further constant.

Uria et al. 2013, RNADE (arXiv 1306.0186); Theis et al. 2016 (1511.01844); Ho et al. 2019, Flow++
(1902.00275).
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError
from wavegen.flows.bijection import Transform, require_rank
from wavegen.flows.draws import ConditionalDraw, Reader, value_alone


class _Dequantization(Transform):
    """Shared code: checks the levels, and rounds y so that it never leaves its cell."""

    is_bound = True

    def __init__(self, num_levels: int = 256, event_dim: int = 3) -> None:
        super().__init__()
        if num_levels < 1 or num_levels != int(num_levels):
            raise UserError(
                f"{type(self).__name__}: expected a whole num_levels of at least 1, got {num_levels}"
            )
        self.num_levels = num_levels
        self.event_dim = event_dim
        # x of integer type is converted to the floating type of this buffer
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def _levels(self, x: Tensor) -> Tensor:
        """x as floating whole numbers. Raises ``UserError`` unless all are in 0 … num_levels − 1."""
        require_rank(self, x.shape, self.event_dim)
        # A compiled graph cannot branch on values; its inputs have to be checked before.
        if not torch.compiler.is_compiling() and x.numel():
            low, high = (bound.item() for bound in x.aminmax())
            whole = not x.is_floating_point() or bool((x == x.floor()).all())
            if not (whole and low >= 0 and high <= self.num_levels - 1):
                raise UserError(
                    f"{type(self).__name__}: expected whole numbers from 0 to {self.num_levels - 1}, got "
                    f"{'' if whole else 'fractions, '}values from {low} to {high}"
                )
        x = x if x.is_floating_point() else x.to(self.origin.dtype)
        return at_least_float32(x)[0]

    def _scaled(self, x: Tensor, u: Tensor) -> Tensor:
        """y = (x + u) / num_levels, moved by one or two floats if rounding has left the cell of x.

        With u near 1, the sum x + u rounds to x + 1. If num_levels is not a power of two, the quotient times
        num_levels may also fall on the other side of a whole number. The gradient treats the shift as a
        constant.
        """
        y = (x + u) / self.num_levels
        with torch.no_grad():
            inside = y
            for _ in range(2):
                v = inside * self.num_levels
                inside = torch.where(v >= x + 1, torch.nextafter(inside, -torch.ones_like(y)), inside)
                inside = torch.where(v < x, torch.nextafter(inside, torch.ones_like(y)), inside)
            correction = inside - y
        return y + correction

    def _log_volume(self, x: Tensor) -> float:
        """D log num_levels, which is −log of the volume of a cell."""
        return math.prod(x.shape[x.dim() - self.event_dim :]) * math.log(self.num_levels)

    def _cells(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The level of y as a floating whole number, and the position of y within its cell. Outside [0, 1)
        the nearest level is used."""
        require_rank(self, y.shape, self.event_dim)
        v = at_least_float32(y)[0] * self.num_levels
        x = v.floor().clamp(0, self.num_levels - 1)
        return x, (v - x).clamp(0, 1)

    def extra_repr(self) -> str:
        return f"num_levels={self.num_levels}, event_dim={self.event_dim}"


class UniformDequantization(_Dequantization):
    """y = (x + u) / num_levels with u ~ U[0, 1)^D; term −D log num_levels. A lower bound (see the module).

    ``forward`` takes whole numbers 0 … num_levels − 1 of integer or floating type; y is in [0, 1).
    ``inverse`` maps y to floor(y · num_levels), whole numbers of floating type. It recovers x exactly, also
    in float32. Cost O(D).

    Shapes: any batch, events of ``event_dim`` dimensions.

    Raises ``UserError`` if values are not whole or out of range (not inside a compiled graph, which cannot
    inspect values).
    """

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        x = self._levels(x)
        y = self._scaled(x, torch.rand_like(x))
        return y, self._term(y)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        x, _ = self._cells(z)
        return x, -self._term(x)

    def _term(self, x: Tensor) -> Tensor:
        return x.new_full(x.shape[: x.dim() - self.event_dim], -self._log_volume(x))


class VariationalDequantization(_Dequantization):
    """y = (x + u) / num_levels with u ~ q(u | x); term −log q(u | x) − D log num_levels. A lower bound, tight
    if q is the model's own posterior over the cell (see the module).

    ``noise`` is q: a module or callable that maps the image scaled to (−1, 1), 2 (x + ½) / num_levels − 1 of
    shape ``(batch, *event)``, to a distribution over u in the unit cube with the image's event shape. An
    example is a ``Flow`` conditioned on the image whose last generating map is a ``Sigmoid``; it computes u
    and log q in one pass. With ``reader=with_context`` it is q(u | x, context), and gets a mapping of both.

    Otherwise ``forward`` and ``inverse`` are those of ``UniformDequantization``. ``inverse`` returns
    log q(u | x) + D log num_levels for the u contained in y (in float32 to about num_levels · 6e-8, because
    y near 1 has no more digits); this costs one evaluation of the density q.

    Raises ``UserError`` as ``UniformDequantization`` does, and if the noise has another event shape.

    Ho et al. 2019, Flow++ (arXiv 1902.00275), section 3.1.
    """

    def __init__(
        self,
        *,
        noise: Callable[[Any], Distribution],
        num_levels: int = 256,
        event_dim: int = 3,
        reader: Reader = value_alone,
    ) -> None:
        super().__init__(num_levels, event_dim)
        self.noise, self.reader = noise, reader

    def _noise(self, x: Tensor, context: Context) -> ConditionalDraw:
        features = (2 * x + 1) / self.num_levels - 1
        event_shape = x.shape[x.dim() - self.event_dim :]
        return ConditionalDraw(
            self.noise, features, event_shape, owner=type(self).__name__, context=context, reader=self.reader
        )

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        x = self._levels(x)
        u, log_q = self._noise(x, context).draw()
        return self._scaled(x, u), -log_q - self._log_volume(x)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        x, u = self._cells(z)
        return x, self._noise(x, context).log_prob(u) + self._log_volume(x)

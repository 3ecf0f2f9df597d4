"""A fixed affine map, for changes of units; nothing is learned."""

import math

import torch
from torch import Tensor

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection


class Rescale(Bijection):
    """z = scale · x + loc, both fixed numbers; log|dz/dx| = log|scale| per element; any shape, event rank 0.

    Raises ``UserError`` if the scale is 0 or not finite.
    """

    event_dim = 0

    def __init__(self, *, scale: float = 1.0, loc: float = 0.0) -> None:
        super().__init__()
        if scale == 0 or not math.isfinite(scale):
            raise UserError(f"Rescale: expected a finite scale other than 0, got {scale}")
        self.scale, self.loc = float(scale), float(loc)

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (x,) = at_least_float32(x)
        return self.scale * x + self.loc, torch.full_like(x, math.log(abs(self.scale)))

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        (z,) = at_least_float32(z)
        return (z - self.loc) / self.scale, torch.full_like(z, -math.log(abs(self.scale)))

    def extra_repr(self) -> str:
        return f"scale={self.scale}, loc={self.loc}"

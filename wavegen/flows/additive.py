"""The additive map of one element: NICE's coupling."""

import torch
from torch import Tensor, nn

from wavegen.distributions.precision import at_least_float32


class Additive(nn.Module):
    """τ(x) = x + loc, log|dτ/dx| = 0. Parameters: loc.

    Volume is kept, so a stack of these cannot explode; put a diagonal scaling on top (NICE, section 3.3).
    O(1) an element in both directions; only the sum rounds.

    Shapes: ``x`` any, ``parameters`` ``x.shape + (1,)``; results of x's shape.

    Dinh et al. 2015, NICE (arXiv 1410.8516).
    """

    num_parameters = 1

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        x, parameters = at_least_float32(x, parameters)
        (loc,) = parameters.unbind(-1)
        z = x + loc
        return z, torch.zeros_like(z)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        z, parameters = at_least_float32(z, parameters)
        (loc,) = parameters.unbind(-1)
        x = z - loc
        return x, torch.zeros_like(x)

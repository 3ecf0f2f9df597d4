"""The additive map of one element: NICE's coupling."""

import torch
from torch import Tensor, nn

from wavegen.distributions.precision import at_least_float32


class Additive(nn.Module):
    """τ(x) = x + loc, log|dτ/dx| = 0. Parameters: loc.

    Volume is kept, so a stack of these cannot explode; put a diagonal scaling on top (NICE, section 3.3).

    Shapes: ``x`` any, ``parameters`` ``x.shape + (1,)``; results of x's shape.

    Dinh et al. 2015, NICE (arXiv 1410.8516).
    """

    num_parameters = 1

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        x, parameters = at_least_float32(x, parameters)
        z = x + parameters.squeeze(-1)
        return z, torch.zeros_like(z)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        z, parameters = at_least_float32(z, parameters)
        x = z - parameters.squeeze(-1)
        return x, torch.zeros_like(x)

"""The additive map of one element, as in the couplings of NICE."""

import torch
from torch import Tensor, nn

from wavegen.distributions.precision import at_least_float32


class Additive(nn.Module):
    """τ(x) = x + loc, log|dτ/dx| = 0. Parameters: loc.

    The map preserves volume, so a stack of these maps cannot overflow; add a diagonal scaling after it
    (NICE, section 3.3). Cost O(1) per element in both directions; the only rounding is that of the sum.

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

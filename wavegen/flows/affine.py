"""The affine map of one element, as in RealNVP, MAF and IAF."""

import torch
from torch import Tensor, nn

from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError


class Affine(nn.Module):
    """τ(x) = x · exp(log_scale) + loc, log|dτ/dx| = log_scale. Parameters: loc | log_scale.

    ``log_scale_activation`` maps the raw log-scale to the log-scale; a bounded one (``BoundedLogScale``)
    prevents overflow when a stack of affine maps is sampled from. The student is
    ``Autoregressive(Affine).inv``, so its one-pass direction is x = g(z) = z · exp(log_scale) + loc.

    Shapes: ``x`` any, ``parameters`` ``x.shape + (2,)``; results of x's shape.

    Dinh et al. 2017, RealNVP (arXiv 1605.08803); Kingma et al. 2016, IAF (1606.04934);
    Papamakarios et al. 2017, MAF (1705.07057).
    """

    num_parameters = 2

    def __init__(self, *, log_scale_activation: nn.Module | None = None) -> None:
        super().__init__()
        self.log_scale_activation = nn.Identity() if log_scale_activation is None else log_scale_activation

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        x, parameters = at_least_float32(x, parameters)
        loc, log_scale = parameters.unbind(-1)
        log_scale = self.log_scale_activation(log_scale)
        return torch.addcmul(loc, x, torch.exp(log_scale)), log_scale

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        z, parameters = at_least_float32(z, parameters)
        loc, log_scale = parameters.unbind(-1)
        log_scale = self.log_scale_activation(log_scale)
        return (z - loc) * torch.exp(-log_scale), -log_scale


class BoundedLogScale(nn.Module):
    """bound · tanh(raw / bound): the identity near zero, within ±bound everywhere.

    Computed as 2 bound · σ(2 raw / bound) − bound, which takes a fifth of the time on a CPU. Near zero its
    absolute error is bound times the machine epsilon, which is small enough for a log-scale.

    Raises ``UserError`` if the bound is not positive.
    """

    def __init__(self, bound: float = 2.0) -> None:
        super().__init__()
        if not bound > 0:
            raise UserError(f"BoundedLogScale bound: expected a positive number, got {bound}")
        self.bound = bound

    def forward(self, raw: Tensor) -> Tensor:
        return (2.0 * self.bound) * torch.sigmoid(raw * (2.0 / self.bound)) - self.bound

    def extra_repr(self) -> str:
        return f"bound={self.bound}"

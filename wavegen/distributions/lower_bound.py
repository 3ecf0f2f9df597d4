"""A floor that is exact in value and still lets a parameter climb back over it."""

from typing import Any

import torch
from torch import Tensor


class _LowerBound(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp(min=bound)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        passes = (x >= ctx.bound) | (grad < 0)
        return torch.where(passes, grad, torch.zeros_like(grad)), None


def lower_bound(x: Tensor, bound: float) -> Tensor:
    """max(x, bound), whose gradient below the bound is stopped only where it points further down.

    A plain clamp has no gradient below the bound, so a log-scale that once fell there (digital silence
    drives it down) stays for ever. A softplus keeps a gradient but is not exact: it moves every
    value near the floor, and sampler, teacher and student would have to agree on that bend as well. Here the
    value is the exact maximum, and below the bound a loss (which is *minimised*) still moves x where it
    would raise it, that is where its gradient is negative; it cannot push x further down.

    Ballé et al. 2018, "Variational image compression with a scale hyperprior" (arXiv 1802.01436) use
    the same rule for their scales.

    Shapes: ``x`` any, the result the same.
    """
    return _LowerBound.apply(x, bound)

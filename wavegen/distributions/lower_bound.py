"""A lower bound on a parameter that is exact in value and lets training return from below it."""

from typing import Any

import torch
from torch import Tensor


class _LowerBound(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, bound: float) -> Tensor:
        return x.clamp(min=bound)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        x, ctx.bound = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        passes = (x >= ctx.bound) | (grad < 0)
        return torch.where(passes, grad, torch.zeros_like(grad)), None


def lower_bound(x: Tensor, bound: float) -> Tensor:
    """max(x, bound). Below the bound, the gradient is zero only if a descent step would decrease x.

    A plain clamp has no gradient below the bound, so a log-scale that falls below (digital silence drives it
    there) never returns. A softplus has a gradient but is not exact: it changes every value near the
    bound, and sampler, teacher and student would all have to use the same softplus. Here the value is the
    exact maximum. Below the bound, a loss (which is *minimised*) can still increase x, that is if its
    gradient is negative; it cannot decrease x further.

    Ballé et al. 2018, "Variational image compression with a scale hyperprior" (arXiv 1802.01436) use
    the same rule for their scales.

    Shapes: ``x`` any, the result the same.
    """
    return _LowerBound.apply(x, bound)

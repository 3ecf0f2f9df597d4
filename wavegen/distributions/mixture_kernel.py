"""The sum over components in a logistic mixture's log-density, with a hand-written gradient."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def logistic_mixture_kernel(value: Tensor, log_weight: Tensor, loc: Tensor, log_scale: Tensor) -> Tensor:
    """log Σ_k exp(w_k + logσ(u_k) + logσ(−u_k)) with u_k = (value − loc_k) e^(−log_scale_k).

    Many draws are scored against one set of parameters. Recorded operation by operation, the gradient needs
    eight tensors of ``draws × batch × time × K``. Two suffice, u and the responsibilities r:

        ∂/∂w_k = r_k,  ∂/∂u_k = −r_k tanh(u_k / 2),  the rest by the chain rule.

    Shapes: ``value`` broadcasts against ``batch_shape``; the others are ``batch_shape + (K,)``.
    Twice differentiable: if the gradient itself is recorded, the plain expression is used, as it is inside
    transforms of ``torch.func``.
    """
    if torch._C._are_functorch_transforms_active():
        return plain_kernel(value, log_weight, loc, log_scale)
    return _Kernel.apply(value, log_weight, loc, log_scale)


def plain_kernel(value: Tensor, log_weight: Tensor, loc: Tensor, log_scale: Tensor) -> Tensor:
    """The same sum by plain autograd operations; tests compare the hand-written gradient with it."""
    u = (value.unsqueeze(-1) - loc) * torch.exp(-log_scale)
    return torch.logsumexp(2 * F.logsigmoid(u) - u + log_weight, -1)


class _Kernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, log_weight: Tensor, loc: Tensor, log_scale: Tensor) -> Tensor:
        u = torch.sub(value.unsqueeze(-1), loc).mul_(torch.exp(-log_scale))
        term = F.logsigmoid(u).mul_(2).sub_(u).add_(log_weight)
        result = torch.logsumexp(term, -1)
        responsibility = term.sub_(result.unsqueeze(-1)).exp_()
        ctx.save_for_backward(value, log_weight, loc, log_scale, u, responsibility)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        value, log_weight, loc, log_scale, u, responsibility = ctx.saved_tensors
        if torch.is_grad_enabled():
            inputs = (value, log_weight, loc, log_scale)
            wanted = [t for t, needed in zip(inputs, ctx.needs_input_grad, strict=True) if needed]
            found = iter(torch.autograd.grad(plain_kernel(*inputs), wanted, grad, create_graph=True))
            return tuple(next(found) if needed else None for needed in ctx.needs_input_grad)
        for_value, for_weight, for_loc, for_scale = ctx.needs_input_grad
        by_weight = responsibility * grad.unsqueeze(-1)
        by_u = torch.tanh(0.5 * u).mul_(by_weight).neg_()
        inverse_scale = torch.exp(-log_scale)
        return (
            (by_u * inverse_scale).sum(-1).sum_to_size(value.shape) if for_value else None,
            by_weight.sum_to_size(log_weight.shape) if for_weight else None,
            -by_u.sum_to_size(loc.shape) * inverse_scale if for_loc else None,
            -(by_u * u).sum_to_size(log_scale.shape) if for_scale else None,
        )

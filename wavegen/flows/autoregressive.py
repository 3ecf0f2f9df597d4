"""The autoregressive bijection: one monotone map per element, with parameters computed from past elements."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.distributions.agreement import parameters_for, require_agreement
from wavegen.distributions.batches import Context, sum_last
from wavegen.distributions.fixed_point import solve_triangular
from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection, require_rank


class Autoregressive(Bijection):
    """z_i = τ(x_i; c_i(x_<i, context)). The Jacobian is triangular: log_det = Σ_i log|dτ/dx_i|.

    ``forward`` (x → z) takes one pass of the conditioner, as in a masked autoregressive flow. ``inverse``
    iterates to the fixed point (``solve_triangular``) and takes at most one pass per element. ``.inv`` is an
    inverse autoregressive flow, which generates in one pass.

    ``transform`` is a τ: ``num_parameters``, ``forward(x, parameters)``, ``inverse(z, parameters)``.
    ``conditioner`` maps ``(x, context)`` to parameters of shape ``x.shape + (num_parameters,)`` and is
    strictly causal in some order. It must be deterministic (no dropout) in ``inverse``. If the conditioner
    has an attribute ``features``, events of another size raise an error as soon as shapes are computed.

    The inverse is differentiated implicitly. With x = G(z, x, θ), G strictly triangular in x, a gradient
    v̄ on x becomes v = v̄ + (∂G/∂x)ᵀ v on G. The same iteration solves for v, so memory does not grow with
    the number of passes. First derivatives are exact. Second derivatives through the inverse raise
    ``RuntimeError``.

    Raises ``UserError`` if τ has no parameters, if τ and conditioner have different numbers of parameters,
    or if the conditioner takes or returns another shape.

    Papamakarios et al. 2017, MAF (arXiv 1705.07057); Kingma et al. 2016, IAF (1606.04934).
    """

    def __init__(self, *, transform: nn.Module, conditioner: nn.Module, event_dim: int = 1) -> None:
        super().__init__()
        require_agreement(self, transform, conditioner)
        self.transform = transform
        self.conditioner = conditioner
        self.event_dim = event_dim

    def _parameters_of(self, x: Tensor, context: Context) -> Tensor:
        num = self.transform.num_parameters
        return parameters_for(self, self.conditioner, x, x.shape, num, context, self.event_dim)

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        z, log_derivative = self.transform(x, self._parameters_of(x, context))
        return z, sum_last(log_derivative, self.event_dim)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        def generate(x: Tensor) -> Tensor:
            return self.transform.inverse(z, self._parameters_of(x, context))[0]

        event_size = math.prod(z.shape[z.dim() - self.event_dim :])
        with torch.no_grad():
            x = solve_triangular(generate, torch.zeros_like(z), event_size)
        if torch.is_grad_enabled():
            x = _attach_implicit_gradient(generate, x, event_size)
        parameters = self._parameters_of(x, context)
        # At the solution, the derivative of the inverse is the reciprocal of the forward derivative. It is
        # computed from x, so that its own gradient flows through x as well.
        _, log_derivative = self.transform(x, parameters)
        return x, -sum_last(log_derivative, self.event_dim)

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        require_rank(self, event_shape, self.event_dim)
        wanted = getattr(self.conditioner, "features", None)
        if wanted is not None and self.event_dim == 1 and event_shape[-1] != wanted:
            raise UserError(
                f"Autoregressive: expected {wanted} features for {type(self.conditioner).__name__}, got "
                f"shape {tuple(event_shape)}"
            )
        return torch.Size(event_shape)

    inverse_shape = forward_shape


def _attach_implicit_gradient(generate, solution: Tensor, max_passes: int) -> Tensor:
    """Records one more pass at the solution, whose backward pass solves the recursion in x."""
    x = generate(solution)
    if not x.requires_grad:
        return x
    inner = solution.detach().requires_grad_()
    inner_result = generate(inner)

    def solve_adjoint(gradient: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            raise RuntimeError("Autoregressive.inverse does not support second derivatives")
        if not inner_result.requires_grad:
            return gradient

        def update(adjoint: Tensor) -> Tensor:
            (pulled,) = torch.autograd.grad(
                inner_result, inner, adjoint, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            return gradient + pulled

        return solve_triangular(update, gradient, max_passes)

    x.register_hook(solve_adjoint)
    return x

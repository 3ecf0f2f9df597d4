"""Interfaces of all layers of a flow: transforms, bijections and inverses."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.errors import UserError


class Transform(nn.Module):
    """One layer between data x and latent z, deterministic or stochastic, with its log-likelihood term.

    ``forward(x, context)`` returns ``(z, term)`` with log p(x) = log p(z) + term. If ``is_bound`` is true,
    the equation is ≥ in expectation over the random numbers of the layer. ``inverse(z, context)`` returns
    ``(x, −term)`` at the pair (x, z). The term of a ``Bijection`` is the log-determinant of its Jacobian.
    Surjections and stochastic layers (dequantisation, slicing, augmentation) document their own terms
    (Nielsen et al. 2020, SurVAE flows, arXiv 2007.02731).

    ``event_dim`` is the number of trailing dimensions that form one event of x, ``latent_event_dim`` that of
    z; the dimensions before them are batch dimensions. Terms are in nats and have the batch shape
    (``x.shape`` without its last ``event_dim`` dimensions).
    """

    event_dim: int

    @property
    def is_bound(self) -> bool:
        return False

    @property
    def latent_event_dim(self) -> int:
        return self.event_dim

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        """The event shape of z for an event shape of x. Raises ``UserError`` if x cannot have that shape."""
        require_rank(self, event_shape, self.event_dim)
        return torch.Size(event_shape)

    def inverse_shape(self, event_shape: Sequence[int]) -> torch.Size:
        """The event shape of x for an event shape of z. Raises ``UserError`` if z cannot have that shape."""
        require_rank(self, event_shape, self.latent_event_dim)
        return torch.Size(event_shape)


class Bijection(Transform):
    """An invertible map f: x → z. f normalises (data to noise) and g = f⁻¹ generates.

    ``forward(x, context)`` returns ``(z, log_det)`` with z = f(x) and log_det = log|det ∂f/∂x| *at x*.
    ``inverse(z, context)`` returns ``(x, log_det)`` with x = g(z) and log_det = log|det ∂g/∂z| *at z*. For
    the same pair (x, z), one log_det is the negative of the other. Both directions, including inverses
    computed by iteration, are differentiable in their input, the context and all parameters.
    """

    @property
    def inv(self) -> "Bijection":
        """The same map in the opposite direction; it shares all parameters. ``f.inv.inv is f``."""
        return Inverse(self)


class Inverse(Bijection):
    """g = f⁻¹ as a bijection: turns MAF into IAF and vice versa."""

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection
        self.event_dim = bijection.latent_event_dim

    @property
    def latent_event_dim(self) -> int:
        return self.bijection.event_dim

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self.bijection.inverse(x, context)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self.bijection.forward(z, context)

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        return self.bijection.inverse_shape(event_shape)

    def inverse_shape(self, event_shape: Sequence[int]) -> torch.Size:
        return self.bijection.forward_shape(event_shape)

    @property
    def inv(self) -> Bijection:
        return self.bijection


def require_rank(owner: nn.Module, event_shape: Sequence[int], rank: int) -> None:
    """Raises ``UserError`` if an event has fewer dimensions than ``owner`` acts on."""
    if len(event_shape) < rank:
        raise UserError(
            f"{type(owner).__name__}: expected an event of at least {rank} dimensions, got shape "
            f"{tuple(event_shape)}"
        )


def no_log_det(value: Tensor, event_dim: int) -> Tensor:
    """The log-determinant of a permutation or reshape: 0 for every event, at least float32."""
    zero = value.new_zeros((), dtype=torch.promote_types(value.dtype, torch.float32))
    return zero.expand(value.shape[: value.dim() - event_dim])

"""The contract of every map a flow is made of: transforms, bijections, and the inverse."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.errors import UserError


class Transform(nn.Module):
    """One layer between data x and latent z, deterministic or not, with its term of the log-likelihood.

    ``forward(x, context)`` returns ``(z, term)`` with log p(x) = log p(z) + term, or ≥ in expectation over
    what the layer draws, where ``is_bound`` says so; ``inverse(z, context)`` returns ``(x, −term)`` at the
    pair (x, z). A ``Bijection`` has the log-determinant of its Jacobian for a term; surjections and
    stochastic layers (dequantisation, slicing, augmentation) state theirs (Nielsen et al. 2020, SurVAE
    flows, arXiv 2007.02731).

    ``event_dim`` counts the trailing dimensions that form one event of x, ``latent_event_dim`` those of z;
    the dimensions before it are batch. Terms are in nats, of the batch shape (``x.shape`` without its last
    ``event_dim`` dimensions).
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
        """The event shape of z for that of x. Raises ``UserError`` where x cannot have it."""
        require_rank(self, event_shape, self.event_dim)
        return torch.Size(event_shape)

    def inverse_shape(self, event_shape: Sequence[int]) -> torch.Size:
        """The event shape of x for that of z. Raises ``UserError`` where z cannot have it."""
        require_rank(self, event_shape, self.latent_event_dim)
        return torch.Size(event_shape)


class Bijection(Transform):
    """f: x → z, invertible; f normalises (data to noise) and g = f⁻¹ generates.

    ``forward(x, context)`` returns ``(z, log_det)`` with z = f(x) and log_det = log|det ∂f/∂x| *at x*;
    ``inverse(z, context)`` returns ``(x, log_det)`` with x = g(z) and log_det = log|det ∂g/∂z| *at z*. At
    one pair (x, z) the two are each other's negative. Both directions are differentiable in their input,
    the context and all parameters, where the inverse is found by iteration too.
    """

    @property
    def inv(self) -> "Bijection":
        """The same map, read the other way; shares all parameters. ``f.inv.inv is f``."""
        return Inverse(self)


class Inverse(Bijection):
    """g = f⁻¹ as a bijection of its own: MAF read as IAF, and back."""

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
    """Raises ``UserError`` where an event has fewer dimensions than ``owner`` acts on."""
    if len(event_shape) < rank:
        raise UserError(
            f"{type(owner).__name__}: expected an event of at least {rank} dimensions, got shape "
            f"{tuple(event_shape)}"
        )


def no_log_det(value: Tensor, event_dim: int) -> Tensor:
    """The log-determinant of a map that only rearranges: 0 for every event, float32 at least."""
    zero = value.new_zeros((), dtype=torch.promote_types(value.dtype, torch.float32))
    return zero.expand(value.shape[: value.dim() - event_dim])

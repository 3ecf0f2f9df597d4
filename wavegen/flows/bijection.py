"""The contract of every invertible map, its inverse, and composition."""

from collections.abc import Mapping

from torch import Tensor, nn

from wavegen.errors import UserError

Context = Tensor | Mapping[str, Tensor] | None
"""What a map is conditioned on: one tensor or several by name, the batch in dimension 0; or nothing."""


class Bijection(nn.Module):
    """f: x → z, invertible; f normalises (data to noise) and g = f⁻¹ generates.

    ``event_dim`` counts the trailing dimensions that form one event; the dimensions before it are batch.

    ``forward(x, context)`` returns ``(z, log_det)`` with z = f(x) and log_det = log|det ∂f/∂x| *at x*;
    ``inverse(z, context)`` returns ``(x, log_det)`` with x = g(z) and log_det = log|det ∂g/∂z| *at z*. At
    one pair (x, z) the two are each other's negative. Both are in nats, of the batch shape (``x.shape``
    without its last ``event_dim`` dimensions), and both directions are differentiable in their input, the
    context and all parameters, where the inverse is found by iteration too.
    """

    event_dim: int

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    @property
    def inv(self) -> "Bijection":
        """The same map, read the other way; shares all parameters. ``f.inv.inv is f``."""
        return Inverse(self)


class Inverse(Bijection):
    """g = f⁻¹ as a bijection of its own: MAF read as IAF, and back."""

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection
        self.event_dim = bijection.event_dim

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self.bijection.inverse(x, context)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self.bijection.forward(z, context)

    @property
    def inv(self) -> Bijection:
        return self.bijection


class Compose(Bijection):
    """f = f_n ∘ … ∘ f_1: ``forward`` applies the arguments in the order given, ``inverse`` in the reverse.

    log|det ∂f/∂x| = Σ_i log|det ∂f_i/∂x_i|. The event rank is the largest among the members;
    log-determinants of members of a lower rank (an elementwise map has rank 0) are summed over the
    dimensions that they count as batch. ``event_dim`` raises the rank further, for elementwise members
    whose product acts on vectors.

    Raises ``UserError`` for no member, for a member that is no bijection, and for an ``event_dim`` below
    a member's.
    """

    def __init__(self, *bijections: Bijection, event_dim: int | None = None) -> None:
        super().__init__()
        if not bijections:
            raise UserError("Compose: expected at least one bijection, got none")
        for position, member in enumerate(bijections):
            if not isinstance(member, Bijection):
                raise UserError(
                    f"Compose: expected a Bijection at position {position}, got {type(member).__name__}"
                )
        largest = max(member.event_dim for member in bijections)
        if event_dim is not None and event_dim < largest:
            raise UserError(
                f"Compose: expected event_dim of at least {largest}, its members' rank, got {event_dim}"
            )
        self.bijections = nn.ModuleList(bijections)
        self.event_dim = largest if event_dim is None else event_dim

    def _run(self, value: Tensor, context: Context, backwards: bool) -> tuple[Tensor, Tensor]:
        if value.dim() < self.event_dim:
            raise UserError(
                f"Compose: expected at least {self.event_dim} dimensions, got {tuple(value.shape)}"
            )
        total: Tensor | None = None
        for member in reversed(self.bijections) if backwards else self.bijections:
            value, log_det = (member.inverse if backwards else member.forward)(value, context)
            log_det = sum_last(log_det, self.event_dim - member.event_dim)
            total = log_det if total is None else total + log_det
        return value, total

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self._run(x, context, backwards=False)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self._run(z, context, backwards=True)


def sum_last(value: Tensor, num_dims: int) -> Tensor:
    """Sums the last ``num_dims`` dimensions; none for 0 (where ``Tensor.sum(())`` would sum them all)."""
    return value.flatten(-num_dims).sum(-1) if num_dims > 0 else value

"""Layers one after the other."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context, sum_last
from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection, Transform


class _Series(Transform):
    """What ``Compose`` and ``Chain`` share: ranks, shapes, and the sum of the members' terms."""

    members_are: type[Transform]

    def __init__(self, *members: Transform, event_dim: int | None = None) -> None:
        super().__init__()
        name, wanted = type(self).__name__, self.members_are.__name__
        article = "a" if wanted[0] not in "AEIOU" else "an"
        if not members:
            raise UserError(f"{name}: expected at least one {wanted.lower()}, got none")
        for position, member in enumerate(members):
            if not isinstance(member, self.members_are):
                raise UserError(
                    f"{name}: expected {article} {wanted} at position {position}, got {type(member).__name__}"
                )
        # the smallest rank of x at which no member meets an event of a rank below its own
        smallest, change, reshaped = 0, 0, None
        for position, member in enumerate(members):
            if member.event_dim - change > smallest:
                # what a reshaping gives is a whole event: more would make events of the dimensions around it
                if reshaped is not None and event_dim is None:
                    raise UserError(
                        f"{name}: expected a {wanted.lower()} of events of at most {smallest + change} "
                        f"dimensions at position {position}, behind {type(reshaped).__name__}, got "
                        f"{type(member).__name__} of {member.event_dim}"
                    )
                smallest = member.event_dim - change
            if member.latent_event_dim != member.event_dim:
                reshaped = member
                change += member.latent_event_dim - member.event_dim
        if event_dim is not None and event_dim < smallest:
            raise UserError(
                f"{name}: expected event_dim of at least {smallest}, its members' rank, got {event_dim}"
            )
        self.members = nn.ModuleList(members)
        self.event_dim = smallest if event_dim is None else event_dim
        self._change = change

    @property
    def latent_event_dim(self) -> int:
        return self.event_dim + self._change

    @property
    def is_bound(self) -> bool:
        return any(member.is_bound for member in self.members)

    def _require_dims(self, value: Tensor, rank: int) -> None:
        if value.dim() < rank:
            raise UserError(
                f"{type(self).__name__}: expected at least {rank} dimensions, got {tuple(value.shape)}"
            )

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self._require_dims(x, self.event_dim)
        value, rank, total = x, self.event_dim, cast(Tensor, 0)  # a tensor once a member is added
        for member in self.members:
            value, term = member(value, context)
            total = total + sum_last(term, rank - member.event_dim)
            rank += member.latent_event_dim - member.event_dim
        return value, total

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self._require_dims(z, self.latent_event_dim)
        value, rank, total = z, self.latent_event_dim, cast(Tensor, 0)
        for member in reversed(self.members):
            value, term = member.inverse(value, context)
            total = total + sum_last(term, rank - member.latent_event_dim)
            rank += member.event_dim - member.latent_event_dim
        return value, total

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        for member in self.members:
            event_shape = member.forward_shape(event_shape)
        return torch.Size(event_shape)

    def inverse_shape(self, event_shape: Sequence[int]) -> torch.Size:
        for member in reversed(self.members):
            event_shape = member.inverse_shape(event_shape)
        return torch.Size(event_shape)


class Compose(_Series, Bijection):
    """f = f_n ∘ … ∘ f_1: ``forward`` applies the arguments in the order given, ``inverse`` in the reverse.

    log|det ∂f/∂x| = Σ_i log|det ∂f_i/∂x_i|. The event rank is the smallest that all members can act on;
    log-determinants of members of a lower rank (an elementwise map has rank 0) are summed over the
    dimensions that they count as batch. ``event_dim`` raises the rank further, for elementwise members
    whose product acts on vectors.

    Raises ``UserError`` for no member, for a member that is no bijection, for one whose events have more
    dimensions than a member before it that changes the rank makes of them, and for an ``event_dim`` below a
    member's.
    """

    members_are = Bijection


class Chain(_Series):
    """Transforms in series, surjections and stochastic layers among them: ``Compose`` without the promise
    of an inverse. Its term is the sum of its members', a bound when one of theirs is.

    Raises ``UserError`` as ``Compose`` does.
    """

    members_are = Transform


def separate(transform: Transform) -> tuple[Transform | None, Transform]:
    """What comes before the first bijection (dequantisation; None where nothing does), and the rest."""
    if isinstance(transform, Bijection) or not isinstance(transform, Chain):
        return None, transform
    members = [cast(Transform, member) for member in transform.members]
    count = next((i for i, member in enumerate(members) if isinstance(member, Bijection)), len(members))
    if count == 0:
        return None, transform
    rest = members[count:]
    series = Compose if all(isinstance(member, Bijection) for member in rest) else Chain
    return Chain(*members[:count]), series(*rest)

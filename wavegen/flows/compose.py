"""Layers in series: ``Compose`` for bijections, ``Chain`` for any transforms."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context, sum_last
from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection, Transform


class _Series(Transform):
    """Code shared by ``Compose`` and ``Chain``: ranks, shapes, and the sum of the members' terms."""

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
        # The smallest rank of x for which every member receives an event of at least its own rank.
        smallest, change, reshaped = 0, 0, None
        for position, member in enumerate(members):
            if member.event_dim - change > smallest:
                # A reshape returns whole events; a larger rank would turn batch dimensions into events.
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
                f"{name}: expected event_dim of at least {smallest}, the rank of its members, got {event_dim}"
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
    """f = f_n ∘ … ∘ f_1: ``forward`` applies the arguments in the given order, ``inverse`` in reverse order.

    log|det ∂f/∂x| = Σ_i log|det ∂f_i/∂x_i|. The event rank is the smallest that suits all members. A member
    of lower rank (an elementwise map has rank 0) treats the other dimensions as batch; its log-determinant
    is summed over them. ``event_dim`` sets a higher rank, for example to apply elementwise members to
    vectors.

    Raises ``UserError`` if there are no members, if a member is not a bijection, if a member needs more
    event dimensions than an earlier member that changes the rank returns, or if ``event_dim`` is below the
    rank of a member.
    """

    members_are = Bijection


class Chain(_Series):
    """Any transforms in series, including surjections and stochastic layers: ``Compose`` without an inverse.

    Its term is the sum of the terms of its members, and a bound if one of them is a bound. Raises
    ``UserError`` as ``Compose`` does.
    """

    members_are = Transform


def separate(transform: Transform) -> tuple[Transform | None, Transform]:
    """Splits off the layers before the first bijection (dequantisation; None if there are none)."""
    if isinstance(transform, Bijection) or not isinstance(transform, Chain):
        return None, transform
    members = [cast(Transform, member) for member in transform.members]
    count = next((i for i, member in enumerate(members) if isinstance(member, Bijection)), len(members))
    if count == 0:
        return None, transform
    rest = members[count:]
    series = Compose if all(isinstance(member, Bijection) for member in rest) else Chain
    return Chain(*members[:count]), series(*rest)

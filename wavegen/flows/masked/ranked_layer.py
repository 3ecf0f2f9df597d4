"""The inverse of one masked layer in one pass that computes every unit of its net once."""

from typing import Protocol, cast

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.rank_schedule import RankSchedule
from wavegen.flows.autoregressive import Autoregressive


class RankedConditioner(Protocol):
    """A masked net whose units are known in the order of the elements: ``MADE``.

    ``activation`` follows every hidden layer and is the same function of every unit. ``join_context`` gives
    the one tensor that the schedule's ``context_weights`` multiply.
    """

    num_parameters: int
    activation: nn.Module

    @property
    def has_rank_schedule(self) -> bool: ...

    def rank_schedule(self) -> RankSchedule: ...

    def join_context(self, context: Context) -> Tensor | None: ...


def conditioner_of(layer: Autoregressive) -> RankedConditioner:
    return cast(RankedConditioner, layer.conditioner)


def flatten_rows(made: RankedConditioner, z: Tensor, context: Context) -> tuple[Tensor, Tensor | None]:
    """z and the net's context as ``(batch, features)``, the context repeated as the net broadcasts it."""
    context = made.join_context(context)
    if context is not None:
        context = context.expand(*z.shape[:-1], context.shape[-1]).reshape(-1, context.shape[-1])
    return z.reshape(-1, z.shape[-1]), context


class RankedLayer:
    """The inverse of an autoregressive layer with a masked net and any τ: a small product per rank and layer.

    Cost O(weights) per draw, in features · (layers + 1) products.
    """

    def __init__(self, layer: Autoregressive) -> None:
        self.made, self.transform = conditioner_of(layer), layer.transform
        self.schedule = self.made.rank_schedule()

    def __call__(self, z: Tensor, context: Context) -> Tensor:
        schedule, activation, num_parameters = self.schedule, self.made.activation, self.made.num_parameters
        flat, context = flatten_rows(self.made, z, context)
        starts = schedule.starts(context)
        known = [flat.new_empty(weight.shape[1], len(flat)) for weight in schedule.weights]
        x = torch.empty_like(flat)
        for rank, feature in enumerate(schedule.feature_of_rank.tolist()):
            for layer in range(1, len(known)):
                begin = schedule.ends[layer][rank - 1] if rank else 0
                end, count = schedule.ends[layer][rank], schedule.ends[layer - 1][rank]
                weight, start = schedule.weights[layer - 1][begin:end, :count], starts[layer - 1][begin:end]
                known[layer][begin:end] = activation(torch.addmm(start, weight, known[layer - 1][:count]))
            rows, count = slice(rank * num_parameters, (rank + 1) * num_parameters), schedule.ends[-1][rank]
            parameters = torch.addmm(starts[-1][rows], schedule.weights[-1][rows, :count], known[-1][:count])
            element, _ = self.transform.inverse(flat[:, feature : feature + 1], parameters.mT.unsqueeze(1))
            x[:, feature] = known[0][rank] = element[:, 0]
        return x.reshape(z.shape)

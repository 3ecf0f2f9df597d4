"""Orders the units of a masked net by rank, and inverts a layer in one pass that computes each unit once."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from wavegen.distributions.batches import Context
from wavegen.flows.autoregressive import Autoregressive
from wavegen.nets.made import MADE


@dataclass(frozen=True)
class RankSchedule:
    """The layers of a ``MADE``, with each layer's units sorted by the highest rank that they depend on.

    A unit that depends on ranks up to r can be computed as soon as the element of rank r is known. It needs
    only the first units of the previous layer. ``ends[l][r]`` is the number of units of layer l that the
    elements of rank below r determine (layer 0 is the input). At each rank only the difference is computed.

    Args:
        feature_of_rank: ``(features,)``.
        weights: masked, of every layer, ``(units, units before)`` in sorted order; rows of the last layer are
            the parameters of rank 0, of rank 1, ….
        biases: of every layer, ``(units,)`` in the same order.
        context_weights: of the hidden layers, ``(units, context_features)``; empty without a context.
        ends: of the input and the hidden layers, ``features + 1`` counts each.
    """

    feature_of_rank: Tensor
    weights: list[Tensor]
    biases: list[Tensor]
    context_weights: list[Tensor]
    ends: list[list[int]]

    @classmethod
    @torch.no_grad()
    def of(cls, made: MADE) -> "RankSchedule":
        """The schedule of a ``MADE``, derived from its masks only, so it works for any rule of degrees."""
        rank = made.order.cpu()
        feature_of_rank = rank.argsort()
        before, last_rank = feature_of_rank, torch.arange(made.features)
        weights, biases, context_weights = [], [], []
        ends = [list(range(made.features + 1))]
        for index, layer in enumerate(made.layers):
            mask = layer.mask.cpu()[:, before]
            seen = torch.where(mask, last_rank, -1).amax(1)
            if index < len(made.layers) - 1:
                rows = seen.argsort(stable=True)
                last_rank = seen[rows]
                bounds = torch.arange(made.features + 1)
                ends.append(torch.searchsorted(last_rank, bounds).tolist())
            else:
                rows = torch.arange(len(seen)).view(made.features, -1)[feature_of_rank].flatten()
            weights.append((layer.weight * layer.mask)[rows][:, before].contiguous())
            biases.append(layer.bias[rows])
            if made.context_features and index < len(made.layers) - 1:
                context_weights.append(made.context_layers[index].weight[rows])
            before = rows
        return cls(feature_of_rank.to(made.order.device), weights, biases, context_weights, ends)

    def starts(self, context: Tensor | None) -> list[Tensor]:
        """Bias plus contribution of the context of every unit, ``(units, batch)``, or ``(units, 1)``."""
        starts = [bias.unsqueeze(1) for bias in self.biases]
        for index, weight in enumerate(self.context_weights):
            assert context is not None  # these weights are there only where it is needed
            starts[index] = torch.addmm(starts[index], weight, context.mT)
        return starts


def flatten_rows(made: MADE, z: Tensor, context: Context) -> tuple[Tensor, Tensor | None]:
    """z and the net's context as ``(batch, features)``, the context repeated as ``MADE`` broadcasts it."""
    context = made.join_context(context)
    if context is not None:
        context = context.expand(*z.shape[:-1], context.shape[-1]).reshape(-1, context.shape[-1])
    return z.reshape(-1, z.shape[-1]), context


class RankedLayer:
    """The inverse of an autoregressive layer with a ``MADE`` and any τ: a small product per rank and layer.

    Cost O(weights) per draw, in features · (layers + 1) products.
    """

    def __init__(self, layer: Autoregressive) -> None:
        self.made, self.transform = cast(MADE, layer.conditioner), layer.transform
        self.schedule = RankSchedule.of(self.made)

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

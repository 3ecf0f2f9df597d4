"""The units of a masked net in the order in which the elements of an event determine them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RankSchedule:
    """The layers of a masked net, with each layer's units sorted by the highest rank that they depend on.

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
    def of(
        cls,
        order: Tensor,
        masks: Sequence[Tensor],
        weights: Sequence[Tensor],
        biases: Sequence[Tensor],
        context_weights: Sequence[Tensor],
    ) -> "RankSchedule":
        """The schedule of a net with these weights, derived from its masks only: for any rule of degrees.

        Args:
            order: ``(features,)``, the rank of every feature.
            masks: of every layer, ``(outputs, inputs)``, true where there is a weight.
            weights: as the masks; ``biases``: ``(outputs,)``.
            context_weights: of the hidden layers, ``(outputs, context_features)``, or none.
        """
        rank = order.cpu()
        features = len(rank)
        feature_of_rank = rank.argsort()
        before, last_rank = feature_of_rank, torch.arange(features)
        sorted_weights, sorted_biases, sorted_context = [], [], []
        ends = [list(range(features + 1))]
        for index, mask in enumerate(masks):
            own = mask.cpu()[:, before]
            seen = torch.where(own, last_rank, -1).amax(1)
            if index < len(masks) - 1:
                rows = seen.argsort(stable=True)
                last_rank = seen[rows]
                bounds = torch.arange(features + 1)
                ends.append(torch.searchsorted(last_rank, bounds).tolist())
                if context_weights:
                    sorted_context.append(context_weights[index][rows])
            else:
                rows = torch.arange(len(seen)).view(features, -1)[feature_of_rank].flatten()
            sorted_weights.append((weights[index] * mask)[rows][:, before].contiguous())
            sorted_biases.append(biases[index][rows])
            before = rows
        return cls(feature_of_rank.to(order.device), sorted_weights, sorted_biases, sorted_context, ends)

    def starts(self, context: Tensor | None) -> list[Tensor]:
        """Bias plus contribution of the context of every unit, ``(units, batch)``, or ``(units, 1)``."""
        starts = [bias.unsqueeze(1) for bias in self.biases]
        for index, weight in enumerate(self.context_weights):
            assert context is not None  # these weights are there only where it is needed
            starts[index] = torch.addmm(starts[index], weight, context.mT)
        return starts

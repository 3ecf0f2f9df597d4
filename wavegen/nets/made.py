"""MADE: a masked feed-forward net whose output for an element sees only the elements before it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.errors import UserError


class MADE(nn.Module):
    """Parameters of element i from the elements that come before it in ``order``, and from the context.

    Every unit of a layer carries a degree; a weight from degree a to degree b is kept where a ≤ b, and
    one into the output of rank r where a < r. Degree −1 (hidden units only, when there is a context) sees
    nothing but the context, so that the first element is conditioned too. Activations are SiLU: a
    flow's density has to be smooth.

    ``order[i]`` is the rank at which feature i is generated, a permutation of 0 … features − 1 (default:
    as they come).

    Shapes: ``x`` ``(..., features)``, ``context`` ``(..., context_features)`` broadcast against it
    without the last dimension; the result ``(..., features, num_parameters)``.

    Raises ``UserError`` for an order that is no permutation, no hidden layer, and a context of another width.

    Germain et al. 2015 (arXiv 1502.03509); with context, Papamakarios et al. 2017, MAF (1705.07057).
    """

    def __init__(
        self,
        features: int,
        num_parameters: int,
        hidden: Sequence[int],
        context_features: int = 0,
        order: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        order = list(range(features)) if order is None else [int(rank) for rank in order]
        if sorted(order) != list(range(features)):
            raise UserError(f"MADE order: expected a permutation of 0 … {features - 1}, got {order}")
        if len(hidden) == 0:
            raise UserError("MADE hidden: expected the width of at least one hidden layer, got none")
        self.features, self.num_parameters, self.context_features = features, num_parameters, context_features
        rank = torch.tensor(order)
        self.register_buffer("order", rank)
        layers, context_layers = [], []
        degrees = rank
        for width in hidden:
            following = _hidden_degrees(width, features, -1 if context_features else 0)
            layers.append(MaskedLinear(following.unsqueeze(1) >= degrees.unsqueeze(0)))
            if context_features:
                context_layers.append(nn.Linear(context_features, width, bias=False))
            degrees = following
        mask = rank.unsqueeze(1) > degrees.unsqueeze(0)
        layers.append(MaskedLinear(mask.repeat_interleave(num_parameters, dim=0)))
        self.layers = nn.ModuleList(layers)
        self.context_layers = nn.ModuleList(context_layers)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        offered = 0 if context is None else context.shape[-1]
        if offered != self.context_features:
            raise UserError(f"MADE context: expected {self.context_features} features, got {offered}")
        hidden = x
        for index, layer in enumerate(self.layers[:-1]):
            hidden = layer(hidden)
            if context is not None:
                hidden = hidden + self.context_layers[index](context)
            hidden = F.silu(hidden)
        return self.layers[-1](hidden).unflatten(-1, (self.features, self.num_parameters))


class MaskedLinear(nn.Linear):
    """A linear layer whose weight is multiplied by a fixed mask, ``(outputs, inputs)``; true keeps."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


def _hidden_degrees(width: int, features: int, lowest: int) -> Tensor:
    """Degrees lowest … features − 2, spread as evenly over the units as the width allows."""
    count = max(features - 1 - lowest, 1)
    return lowest + torch.arange(width) * count // max(width, count)

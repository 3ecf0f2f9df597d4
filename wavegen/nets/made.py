"""MADE: a masked feed-forward net whose output for an element sees only the elements before it."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.errors import UserError
from wavegen.nets.staircase import Staircase, StaircaseProduct
from wavegen.nets.vector_inputs import require_features


class MADE(nn.Module):
    """Parameters of element i from the elements that come before it in ``order``, and from the context.

    Every unit of a layer carries a degree; a weight from degree a to degree b is kept where a ≤ b, and
    one into the output of rank r where a < r. Degree −1 (hidden units only, when there is a context) sees
    nothing but the context, so that the first element is conditioned too. ``activation`` stands behind
    every hidden layer, by default SiLU: a flow's density has to be smooth. It acts on every unit by
    itself: one that mixes units (GLU, a normalisation over features) would break the masks.

    ``order[i]`` is the rank at which feature i is generated, a permutation of 0 … features − 1 (default:
    as they come).

    ``context_features`` is the width of the one context tensor, or the widths of several by name; then the
    context is a mapping, of which these names are read, each entering every hidden layer. 0 means none.

    Shapes: ``x`` ``(..., features)``, ``context`` ``(..., context_features)`` broadcast against it
    without the last dimension; the result ``(..., features, num_parameters)``. Cost O(Σ widths of
    neighbouring layers multiplied), the masked weights included; on a CPU, layers of about 500 units and
    more leave out the blocks of them that are nothing but masked (``nets/staircase.py``).

    Raises ``UserError`` for no features, an order that is no permutation, no hidden layer, an x or a context
    of another width, and a context without one of the names.

    Germain et al. 2015 (arXiv 1502.03509); with context, Papamakarios et al. 2017, MAF (1705.07057).
    """

    def __init__(
        self,
        features: int,
        num_parameters: int,
        hidden: Sequence[int],
        context_features: int | Mapping[str, int] = 0,
        order: Sequence[int] | None = None,
        *,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        order = list(range(features)) if order is None else [int(rank) for rank in order]
        if sorted(order) != list(range(features)):
            raise UserError(f"MADE order: expected a permutation of 0 … {features - 1}, got {order}")
        if features < 1:
            raise UserError(f"MADE features: expected at least 1, got {features}")
        if len(hidden) == 0:
            raise UserError("MADE hidden: expected the width of at least one hidden layer, got none")
        self.context_blocks = dict(context_features) if isinstance(context_features, Mapping) else None
        self.context_features: int = (
            sum(context_features.values()) if isinstance(context_features, Mapping) else context_features
        )
        self.features, self.num_parameters = features, num_parameters
        self.activation = nn.SiLU() if activation is None else activation
        rank = torch.tensor(order)
        self.register_buffer("order", rank)
        layers, context_layers = [], []
        degrees = rank
        for width in hidden:
            following = _hidden_degrees(width, features, -1 if self.context_features else 0)
            layers.append(MaskedLinear(following.unsqueeze(1) >= degrees.unsqueeze(0)))
            if self.context_features:
                context_layers.append(nn.Linear(self.context_features, width, bias=False))
            degrees = following
        mask = rank.unsqueeze(1) > degrees.unsqueeze(0)
        layers.append(MaskedLinear(mask.repeat_interleave(num_parameters, dim=0)))
        self.layers = nn.ModuleList(layers)
        self.context_layers = nn.ModuleList(context_layers)

    def join_context(self, context: Tensor | Mapping[str, Tensor] | None) -> Tensor | None:
        """The one tensor ``(..., context_features)`` that ``context_layers`` take, named blocks side by side
        in the order of ``context_features``; None where the net takes no context.
        """
        if self.context_blocks is not None:
            return self._join_blocks(context, self.context_blocks) if self.context_features else None
        if isinstance(context, Mapping):
            raise UserError(
                f"MADE context: expected one tensor of {self.context_features} features, got a mapping of "
                f"{sorted(context)}"
            )
        require_features(self, "context", context, self.context_features)
        return context

    def _join_blocks(
        self, context: Tensor | Mapping[str, Tensor] | None, widths: Mapping[str, int]
    ) -> Tensor:
        if not isinstance(context, Mapping):
            raise UserError(
                f"MADE context: expected a mapping of {sorted(widths)}, got {type(context).__name__}"
            )
        blocks = []
        for name, width in widths.items():
            if name not in context:
                raise UserError(f"MADE context: expected {name!r} of {width} features, got {sorted(context)}")
            require_features(self, f"context {name!r}", context[name], width)
            blocks.append(context[name])
        return blocks[0] if len(blocks) == 1 else torch.cat(blocks, -1)

    def forward(self, x: Tensor, context: Tensor | Mapping[str, Tensor] | None = None) -> Tensor:
        require_features(self, "x", x, self.features)
        context = self.join_context(context)
        hidden = x
        *layers, last = self.layers  # a slice would build a list of modules anew: 3 % of a density
        for index, layer in enumerate(layers):
            hidden = layer(hidden)
            if context is not None:
                hidden = hidden + self.context_layers[index](context)
            hidden = self.activation(hidden)
        if self.num_parameters > 2:
            return last(hidden).unflatten(-1, (self.features, self.num_parameters))
        # one parameter after the other in memory, since both are read apart; rows of weights are fewer than
        # rows of a batch, so it is they that change places
        weight, bias = last.masked_weight.unflatten(0, (self.features, -1)), last.bias.view(self.features, -1)
        result = F.linear(hidden, weight.transpose(0, 1).flatten(0, 1), bias.mT.flatten())
        return result.unflatten(-1, (self.num_parameters, self.features)).transpose(-1, -2)


class MaskedLinear(nn.Linear):
    """A linear layer whose weight is multiplied by a fixed mask, ``(outputs, inputs)``; true keeps."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask)
        # the mask once more as numbers: products of booleans and numbers take several times as long
        self.register_buffer("_kept", mask.to(self.weight.dtype), persistent=False)
        self._staircase = Staircase.of(mask)

    @property
    def masked_weight(self) -> Tensor:
        return self.weight * self._kept

    def _load_from_state_dict(self, *arguments: object) -> None:
        super()._load_from_state_dict(*arguments)
        self._kept.copy_(self.mask)
        self._staircase = Staircase.of(self.mask)

    def forward(self, x: Tensor) -> Tensor:
        # elsewhere one large product is faster than several; and autocast knows nothing of the blocks
        if self._staircase is None or x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return F.linear(x, self.masked_weight, self.bias)
        return StaircaseProduct.apply(x, self.masked_weight, self.bias, self._staircase)


def _hidden_degrees(width: int, features: int, lowest: int) -> Tensor:
    """Degrees lowest … features − 2, spread as evenly over the units as the width allows."""
    count = max(features - 1 - lowest, 1)
    return lowest + torch.arange(width) * count // max(width, count)

"""MADE: a masked feed-forward net whose output for an element depends only on the elements before it."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.distributions.rank_schedule import RankSchedule
from wavegen.errors import UserError
from wavegen.nets.staircase import Staircase, StaircaseProduct
from wavegen.nets.vector_inputs import require_features

_ALIKE_FOR_ALL_UNITS = (
    *(nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.LogSigmoid, nn.Hardtanh, nn.Hardswish),
)


class MADE(nn.Module):
    """Computes the parameters of element i from the elements before it in ``order``, and from the context.

    Every unit has a degree. The mask keeps a weight from degree a to degree b if a ≤ b, and a weight to the
    output of rank r if a < r. Hidden units of degree −1, which exist only with a context, depend on the
    context alone, so that the first element is conditioned too. ``activation`` follows every hidden layer,
    by default SiLU, because the density of a flow should be smooth. It must act on each unit separately: one
    that mixes units (GLU, a normalisation over features) would break the masks.

    ``order[i]`` is the rank at which feature i is generated, a permutation of 0 … features − 1. The default
    is the natural order.

    ``context_features`` is the width of the one context tensor, or the widths of several by name. In that
    case the context is a mapping from which these names are read. The context enters every hidden layer. 0
    means no context.

    Shapes: ``x`` ``(..., features)``, ``context`` ``(..., context_features)`` broadcast against it
    without the last dimension; the result ``(..., features, num_parameters)``. Cost O(Σ products of the
    widths of adjacent layers), including masked weights. On a CPU, layers of about 500 units and more skip
    blocks of weights that are entirely masked (``nets/staircase.py``).

    Raises ``UserError`` if there are no features or hidden layers, the order is not a permutation, x or the
    context has another width, or a named context is missing.

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
        """The tensor ``(..., context_features)`` for ``context_layers``: named blocks are concatenated in the
        order of ``context_features``; None if the net takes no context.
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

    @property
    def has_rank_schedule(self) -> bool:
        """Whether ``rank_schedule`` describes what ``forward`` computes.

        Not in a subclass, with a layer of another class, with hooks, or with an activation that may treat
        units differently.
        """
        return (
            type(self) is MADE
            and type(self.activation) in _ALIKE_FOR_ALL_UNITS
            and all(isinstance(layer, MaskedLinear) for layer in self.layers)
            and not any(part._forward_hooks or part._forward_pre_hooks for part in self.modules())
        )

    def rank_schedule(self) -> RankSchedule:
        """The units in the order in which the elements determine them, with copies of the weights."""
        layers = [cast(MaskedLinear, layer) for layer in self.layers]
        return RankSchedule.of(
            self.order,
            [layer.mask for layer in layers],
            [layer.weight for layer in layers],
            [layer.bias for layer in layers],
            [cast(nn.Linear, layer).weight for layer in self.context_layers],
        )

    def forward(self, x: Tensor, context: Tensor | Mapping[str, Tensor] | None = None) -> Tensor:
        require_features(self, "x", x, self.features)
        context = self.join_context(context)
        hidden = x
        *layers, last = self.layers  # a slice would build a new module list: 3 % of the time of a density
        for index, layer in enumerate(layers):
            hidden = layer(hidden)
            if context is not None:
                hidden = hidden + self.context_layers[index](context)
            hidden = self.activation(hidden)
        if self.num_parameters > 2:
            return last(hidden).unflatten(-1, (self.features, self.num_parameters))
        # Store parameter-major, because parameters are read separately. Reorder the rows of the weight, which
        # are fewer than the rows of a batch.
        weight, bias = last.masked_weight.unflatten(0, (self.features, -1)), last.bias.view(self.features, -1)
        result = F.linear(hidden, weight.transpose(0, 1).flatten(0, 1), bias.mT.flatten())
        return result.unflatten(-1, (self.num_parameters, self.features)).transpose(-1, -2)


class MaskedLinear(nn.Linear):
    """A linear layer whose weight is multiplied by a fixed boolean mask ``(outputs, inputs)``; true keeps."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask)
        # the mask as floats: products of booleans and floats take several times as long
        self.register_buffer("_float_mask", mask.to(self.weight.dtype), persistent=False)
        self._staircase = Staircase.of(mask)

    @property
    def masked_weight(self) -> Tensor:
        return self.weight * self._float_mask

    def _load_from_state_dict(self, *arguments: object) -> None:
        super()._load_from_state_dict(*arguments)
        self._float_mask.copy_(self.mask)
        self._staircase = Staircase.of(self.mask)

    def forward(self, x: Tensor) -> Tensor:
        # On other devices one large product is faster; and autocast does not handle the blocks.
        if self._staircase is None or x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return F.linear(x, self.masked_weight, self.bias)
        return StaircaseProduct.apply(x, self.masked_weight, self.bias, self._staircase)


def _hidden_degrees(width: int, features: int, lowest: int) -> Tensor:
    """Degrees lowest … features − 2, spread as evenly over the units as possible."""
    count = max(features - 1 - lowest, 1)
    return lowest + torch.arange(width) * count // max(width, count)

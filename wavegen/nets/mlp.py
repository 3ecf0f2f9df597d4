"""A plain feed-forward net, the conditioner of couplings of vectors."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.errors import UserError
from wavegen.nets.vector_inputs import require_features


class MLP(nn.Module):
    """Computes the parameters of the moved features from the kept features and the context.

    The context enters the first hidden layer together with x. Activations are SiLU, because the density of a
    flow should be smooth. The last layer is initialised to zero, so an additive or affine coupling is the
    identity at first. ``initial_std`` initialises it from a normal instead, for maps whose components would
    otherwise stay equal (mixtures).

    Shapes: ``x`` ``(..., in_features)``, ``context`` ``(..., context_features)`` broadcast against it
    without the last dimension; the result ``(..., out_features, num_parameters)``.

    Raises ``UserError`` if there is no hidden layer, or if x or the context has another width.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        num_parameters: int,
        hidden: Sequence[int],
        context_features: int = 0,
        initial_std: float = 0.0,
    ) -> None:
        super().__init__()
        if len(hidden) == 0:
            raise UserError("MLP hidden: expected the width of at least one hidden layer, got none")
        self.in_features, self.out_features = in_features, out_features
        self.num_parameters = num_parameters
        self.context_features = context_features
        widths = [in_features, *hidden, out_features * num_parameters]
        self.layers = nn.ModuleList(
            nn.Linear(before, after) for before, after in zip(widths[:-1], widths[1:], strict=True)
        )
        nn.init.normal_(self.layers[-1].weight, std=initial_std)
        nn.init.normal_(self.layers[-1].bias, std=initial_std)
        self.context_layer = nn.Linear(context_features, hidden[0], bias=False) if context_features else None

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        require_features(self, "x", x, self.in_features)
        require_features(self, "context", context, self.context_features)
        hidden = self.layers[0](x)
        if self.context_layer is not None:
            hidden = hidden + self.context_layer(context)
        for layer in self.layers[1:]:
            hidden = layer(F.silu(hidden))
        return hidden.unflatten(-1, (self.out_features, self.num_parameters))

"""Parameters from the context alone: what amortises a flow that would else learn a table."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.nets.vector_inputs import require_features


class ContextMLP(nn.Module):
    """A feed-forward net of the context: ``parameters=`` of planar, radial and Sylvester flows.

    The last layer's biases start from a normal of ``initial_std`` like a table's entries would, its weights
    such that the context adds about as much: planar flows have no gradient at zero.

    Shapes: ``context`` ``(batch, context_features)``; the result ``(batch, num_parameters)``. Activations
    are SiLU. Raises ``UserError`` for no context or one of another width.

    Van den Berg et al. 2018, Sylvester normalizing flows (arXiv 1803.05649), section 4.
    """

    def __init__(
        self,
        context_features: int,
        num_parameters: int,
        hidden: Sequence[int] = (64,),
        initial_std: float = 0.1,
    ) -> None:
        super().__init__()
        self.context_features, self.num_parameters = context_features, num_parameters
        widths = [context_features, *hidden, num_parameters]
        self.layers = nn.ModuleList(
            nn.Linear(before, after) for before, after in zip(widths[:-1], widths[1:], strict=True)
        )
        nn.init.normal_(self.layers[-1].weight, std=initial_std / widths[-2] ** 0.5)
        nn.init.normal_(self.layers[-1].bias, std=initial_std)

    def forward(self, context: Tensor | None = None) -> Tensor:
        require_features(self, "context", context, self.context_features)
        value = self.layers[0](context)
        for layer in self.layers[1:]:
            value = layer(F.silu(value))
        return value

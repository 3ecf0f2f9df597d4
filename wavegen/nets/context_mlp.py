"""A net that computes the parameters of a flow from the context alone (amortisation)."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.nets.vector_inputs import require_features


class ContextMLP(nn.Module):
    """A feed-forward net of the context: ``parameters=`` of planar, radial and Sylvester flows.

    The biases of the last layer are initialised from a normal with ``initial_std``, like freely learned
    parameters, and its weights so that the context contributes about as much, because planar flows have no
    gradient at zero.

    Shapes: ``context`` ``(batch, context_features)``; the result ``(batch, num_parameters)``. Activations
    are SiLU. Raises ``UserError`` if the context is missing or has another width.

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

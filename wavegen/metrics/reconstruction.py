"""How exactly a model returns what went through it."""

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context


@torch.no_grad()
def reconstruction_error(model: nn.Module, x: Tensor, context: Context = None) -> Tensor:
    """max |seen − returned| of every event, ``(batch,)``, by the model's own ``reconstruct``.

    Of a flow with dequantisation that is in units of the whole range of levels: the noise that was added on
    the way is no error of the flow.
    """
    seen, returned = model.reconstruct(x, context)
    return (seen - returned).abs().flatten(1).amax(1)

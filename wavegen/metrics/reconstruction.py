"""The reconstruction error of a model: encoding followed by decoding."""

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context


@torch.no_grad()
def reconstruction_error(model: nn.Module, x: Tensor, context: Context = None) -> Tensor:
    """max |seen − returned| of every event, ``(batch,)``, from the model's ``reconstruct``.

    For a flow with dequantisation, the unit is the whole range of levels, and the added noise is not counted
    as an error.
    """
    seen, returned = model.reconstruct(x, context)
    return (seen - returned).abs().flatten(1).amax(1)

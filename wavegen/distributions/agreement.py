"""Checks that a conditioner computes as many parameters as its τ or head takes."""

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.errors import UserError


def require_agreement(owner: nn.Module, element: nn.Module, conditioner: nn.Module) -> None:
    """Raises ``UserError`` if ``element`` (a τ or a head) takes no parameters, or a different number than
    the conditioner's ``num_parameters``. A conditioner without that attribute is checked when it is called.
    """
    name = type(owner).__name__
    if not hasattr(element, "num_parameters"):
        raise UserError(
            f"{name}: expected a τ or a head, which takes parameters for every element, got "
            f"{type(element).__name__}"
        )
    offered = getattr(conditioner, "num_parameters", element.num_parameters)
    if offered != element.num_parameters:
        raise UserError(
            f"{name}: expected a conditioner with {element.num_parameters} parameters per element for "
            f"{type(element).__name__}, got {offered}"
        )


def parameters_for(
    owner: nn.Module, conditioner: nn.Module, seen: Tensor, shape: torch.Size, num: int, context: Context
) -> Tensor:
    """The conditioner's output for ``seen``, of shape ``shape + (num,)`` for elements of ``shape``.

    Raises ``UserError`` for any other shape. Broadcasting would hide a conditioner of the wrong size and
    give a wrong density.
    """
    parameters = conditioner(seen, context)
    expected = (*shape, num)
    if parameters.shape != expected:
        raise UserError(
            f"{type(owner).__name__}: expected parameters of shape {expected} from "
            f"{type(conditioner).__name__}, got {tuple(parameters.shape)}"
        )
    return parameters

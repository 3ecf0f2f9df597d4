"""Checks that a conditioner computes as many parameters as its τ or head takes."""

from typing import cast

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context, fold_batch
from wavegen.errors import UserError

_HALF_PRECISION = (torch.bfloat16, torch.float16)


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
    owner: nn.Module,
    conditioner: nn.Module,
    seen: Tensor,
    shape: torch.Size,
    num: int,
    context: Context,
    event_dim: int = 1,
) -> Tensor:
    """The conditioner's output for ``seen``, of shape ``shape + (num,)`` for elements of ``shape``.

    A conditioner in half precision gets its input in half precision, although maps work in float32. One of
    events of several dimensions, such as a convolutional net, gets exactly one batch dimension; the context
    is repeated for it.

    Raises ``UserError`` for any other shape. Broadcasting would hide a conditioner of the wrong size and
    give a wrong density.
    """
    seen = cast(Tensor, in_half_precision(conditioner, seen))
    context = in_half_precision(conditioner, context)
    if event_dim > 1 and seen.dim() != event_dim + 1:
        seen, context = fold_batch(seen, event_dim, context)
        parameters = conditioner(seen, context)
        if parameters.shape[0] == seen.shape[0]:
            parameters = parameters.reshape(*shape[: len(shape) - event_dim], *parameters.shape[1:])
    else:
        parameters = conditioner(seen, context)
    expected = (*shape, num)
    if parameters.shape != expected:
        raise UserError(
            f"{type(owner).__name__}: expected parameters of shape {expected} from "
            f"{type(conditioner).__name__}, got {tuple(parameters.shape)}"
        )
    return parameters


def in_half_precision(net: nn.Module, value: Context) -> Context:
    """A floating tensor in the dtype of the net's weights if that is half precision; all else unchanged."""
    own = _first_parameter(net)
    if own is None or own.dtype not in _HALF_PRECISION or not isinstance(value, Tensor):
        return value
    return value.to(own.dtype) if value.is_floating_point() else value


def _first_parameter(net: nn.Module) -> Tensor | None:
    """``next(net.parameters())``, which would take several per cent of the time of a small net."""
    for parameter in net._parameters.values():
        if parameter is not None:
            return parameter
    for module in net._modules.values():
        if module is not None and (found := _first_parameter(module)) is not None:
            return found
    return None

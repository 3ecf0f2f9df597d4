"""What the trials before a training share: they leave no trace, and say what a part has got wrong."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn

from wavegen.errors import UserError


@contextmanager
def trial(*models: nn.Module) -> Iterator[None]:
    """Inside the block, the models are in evaluation mode and nothing needs a gradient.

    Afterwards the models' modes and the random states are what they were. In evaluation mode no layer
    initialises itself from what it sees.
    """
    modes = [(module, module.training) for model in models for module in model.modules()]
    with isolate_rng(include_cuda=torch.cuda.is_initialized()), torch.no_grad():
        try:
            for model in models:
                model.eval()
            yield
        finally:
            for module, training in modes:
                module.training = training


def require_call(place: str, function: Callable, arguments: tuple[Any, ...], call: str) -> None:
    """Raise UserError if the function cannot be called with these arguments.

    Args:
        place: what the message begins with.
        call: how it is called, for the message: ``forward(context)``.
    """
    name = call.partition("(")[0]
    if getattr(function, "__func__", None) is nn.Module.forward:
        raise UserError(f"{place} has no {name}, expected {call}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # built in or compiled
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise UserError(f"{place} has {name}{signature}, expected {call}") from error


def require_finite_scalar(what: str, value: Any) -> None:
    """Raise UserError unless the value is a tensor of one finite number.

    Args:
        what: the value in words, which the message begins with.
    """
    if not (isinstance(value, Tensor) and value.shape == ()):
        raise UserError(f"{what} is {in_words(value)}, expected a scalar tensor")
    if not torch.isfinite(value):
        raise UserError(f"{what} is {value.item()}, expected a finite number")


def in_words(value: Any) -> str:
    """A value in words that follow "returns"."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, tuple):
        return f"a tuple ({', '.join(in_words(item) for item in value)})"
    return "None" if value is None else f"an object of {type(value).__name__}"

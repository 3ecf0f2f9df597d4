"""Limits the number of parameters of a model before memory is used for them."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from wavegen.errors import UserError


@contextmanager
def parameter_budget(max_parameters: int, excess: str) -> Iterator[None]:
    """Inside the block, the modules that are created may have ``max_parameters`` in total.

    A few digits in a description are enough for a model of terabytes. Every parameter is counted when a
    module registers it. At that time it has no values yet, so the system has reserved its memory but not
    used it.

    Args:
        excess: the message if there are more.

    Raises:
        UserError: with that message, at the first parameter above the limit.
    """
    count = 0

    def registered(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal count
        count += 0 if parameter is None else parameter.numel()
        if count > max_parameters:
            raise UserError(excess)

    handle = register_module_parameter_registration_hook(registered)
    try:
        yield
    finally:
        handle.remove()

"""A model is refused before memory is taken for more parameters than it can have."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from wavegen.errors import UserError


@contextmanager
def parameter_budget(max_parameters: int, excess: str) -> Iterator[None]:
    """Within the block the modules that are made may have ``max_parameters`` in all.

    A few digits in a description are enough for a model of terabytes. Every parameter is counted when a
    module registers it, which is before it gets its first values: until then the system has promised its
    memory, but given none.

    Args:
        excess: the sentence that says what is wrong with more.

    Raises:
        UserError: with that sentence, at the first parameter beyond.
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

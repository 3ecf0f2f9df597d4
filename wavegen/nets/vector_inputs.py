"""Checks of the inputs of conditioners of vectors."""

from torch import Tensor, nn

from wavegen.errors import UserError


def require_features(owner: nn.Module, name: str, value: Tensor | None, features: int) -> None:
    """Raises ``UserError`` if ``value`` is missing, unexpected (0 features), not a tensor of floating-point
    numbers, or not of shape ``(..., features)``."""
    if value is not None and (not isinstance(value, Tensor) or value.dim() == 0):
        got = "shape ()" if isinstance(value, Tensor) else type(value).__name__
        raise UserError(f"{type(owner).__name__} {name}: expected a tensor of {features} features, got {got}")
    offered = 0 if value is None else value.shape[-1]
    if offered != features:
        raise UserError(f"{type(owner).__name__} {name}: expected {features} features, got {offered}")
    require_floating(owner, value, name)


def require_floating(owner: nn.Module, value: Tensor | None, name: str = "context") -> None:
    """Raises ``UserError`` for integers, which a linear layer does not take; encode classes as one-hot."""
    if value is not None and not value.is_floating_point():
        raise UserError(f"{type(owner).__name__} {name}: expected floating-point numbers, got {value.dtype}")

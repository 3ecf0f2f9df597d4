"""Elementwise monotone maps with learned parameters that depend on no context."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection


class PerElement(Bijection):
    """An elementwise map, event rank 0, with separate parameters for each entry of a trailing ``shape``.

    Parameters are shared over the dimensions before ``shape`` and over those whose size in ``shape`` is 1.
    Raises ``UserError`` if the last dimensions of a value do not match ``shape``.
    """

    event_dim = 0

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = torch.Size(tuple(shape))

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        # If the event has fewer dimensions, the others are batch dimensions and unknown here.
        for own, size in zip(reversed(self.shape), reversed(event_shape), strict=False):
            if own not in (1, size):
                raise UserError(
                    f"{type(self).__name__}: expected events whose last dimensions are {tuple(self.shape)}, "
                    f"got shape {tuple(event_shape)}"
                )
        return torch.Size(event_shape)

    def inverse_shape(self, event_shape: Sequence[int]) -> torch.Size:
        return self.forward_shape(event_shape)

    def require_shape(self, value: Tensor) -> None:
        """Raises ``UserError`` as above."""
        if value.dim() < len(self.shape):
            raise UserError(
                f"{type(self).__name__}: expected values whose last dimensions are {tuple(self.shape)}, got "
                f"shape {tuple(value.shape)}"
            )
        self.forward_shape(value.shape)


class Elementwise(PerElement):
    """z_i = τ(x_i; θ_i), log|dz_i/dx_i| as given by τ; θ is learned, event rank 0.

    Every entry of the trailing ``shape`` has its own parameters. θ is initialised from a normal with
    standard deviation ``initial_std``, so that the components of a mixture differ. The cost is that of τ
    for every element.

    Raises ``UserError`` if the last dimensions of a value do not match ``shape``.
    """

    def __init__(self, *, transform: nn.Module, shape: Sequence[int] = (), initial_std: float = 0.1) -> None:
        super().__init__(shape)
        self.transform = transform
        self.table = nn.Parameter(initial_std * torch.randn(*shape, transform.num_parameters))

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self.require_shape(x)
        return self.transform(x, self.table.expand(*x.shape, -1))

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self.require_shape(z)
        return self.transform.inverse(z, self.table.expand(*z.shape, -1))

"""A monotone map per element with free parameters: what is conditioned on nothing."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection


class PerElement(Bijection):
    """A map of single elements, event rank 0, with parameters of its own for each of a trailing ``shape``.

    Dimensions before ``shape`` share them, as do those of which ``shape`` says 1. Raises ``UserError`` for
    values whose last dimensions are others.
    """

    event_dim = 0

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = torch.Size(tuple(shape))

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        # of a smaller event the other dimensions are batch, and not known here
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
    """z_i = τ(x_i; θ_i), log|dz_i/dx_i| that of τ; θ a learned table, event rank 0.

    ``shape`` is the trailing shape that has its own parameters each. θ starts from a standard normal times
    ``initial_std``, so that the components of a mixture differ. Cost that of τ for every element.

    Raises ``UserError`` for values whose last dimensions are others than ``shape``.
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

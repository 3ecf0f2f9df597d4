"""A bijection that changes the shape of events only."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from wavegen.distributions.batches import Context
from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection, no_log_det, require_rank


class Reshape(Bijection):
    """Reshapes events of ``shape`` to ``latent_shape`` in row-major order; log_det = 0, cost O(1).

    Raises ``UserError`` if the two shapes have different numbers of elements, or if an event has another
    shape.
    """

    def __init__(self, shape: Sequence[int], latent_shape: Sequence[int]) -> None:
        super().__init__()
        self.shape, self.latent_shape = torch.Size(shape), torch.Size(latent_shape)
        if math.prod(shape) != math.prod(latent_shape):
            raise UserError(
                f"Reshape: {tuple(shape)} and {tuple(latent_shape)} have different numbers of elements"
            )
        self.event_dim = len(self.shape)

    @property
    def latent_event_dim(self) -> int:
        return len(self.latent_shape)

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self._read(x, self.shape, self.latent_shape)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self._read(z, self.latent_shape, self.shape)

    def _read(self, value: Tensor, given: torch.Size, wanted: torch.Size) -> tuple[Tensor, Tensor]:
        batch = value.shape[: value.dim() - len(given)]
        if value.shape[len(batch) :] != given:
            raise UserError(f"Reshape: expected events of shape {tuple(given)}, got {tuple(value.shape)}")
        return value.reshape(batch + wanted), no_log_det(value, len(given))

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        return self._replace(event_shape, self.shape, self.latent_shape)

    def inverse_shape(self, event_shape: Sequence[int]) -> torch.Size:
        return self._replace(event_shape, self.latent_shape, self.shape)

    def _replace(self, event_shape: Sequence[int], given: torch.Size, wanted: torch.Size) -> torch.Size:
        require_rank(self, event_shape, len(given))
        event_shape = torch.Size(event_shape)
        if event_shape[len(event_shape) - len(given) :] != given:
            raise UserError(f"Reshape: expected events of shape {tuple(given)}, got {tuple(event_shape)}")
        return event_shape[: len(event_shape) - len(given)] + wanted

    def extra_repr(self) -> str:
        return f"{tuple(self.shape)} → {tuple(self.latent_shape)}"

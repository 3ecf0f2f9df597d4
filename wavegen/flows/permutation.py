"""Permutations of channels, and the reversal of all elements of an event."""

from collections.abc import Sequence

import torch
from torch import Tensor

from wavegen.distributions.batches import Context
from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection, no_log_det
from wavegen.flows.channels import ChannelBijection


class Permutation(ChannelBijection):
    """z_c = x_order[c] over channels, the same at every position; log_det = 0.

    ``order`` is a buffer in the state dict, so a loaded model has the order with which it was trained,
    whatever order it was constructed with. ``Permutation.reverse`` is the reversal of Glow and MAF,
    ``Permutation.random`` the shuffle of Glow.

    Shapes: ``(…, channels)`` for ``event_dim`` 1, ``(…, channels, height, width)`` for 3. Cost: one copy
    of x in both directions. Raises ``UserError`` if the order omits or repeats a channel, or if the event
    has another number of channels.

    Dinh et al. 2017, RealNVP (arXiv 1605.08803); Kingma and Dhariwal 2018, Glow (1807.03039).
    """

    def __init__(self, order: Sequence[int] | Tensor, event_dim: int = 1) -> None:
        order = torch.as_tensor(order)
        whole = order.dim() == 1 and not (order.is_floating_point() or order.is_complex())
        if not whole or not torch.equal(order.sort().values, torch.arange(len(order), device=order.device)):
            raise UserError(
                f"Permutation: expected an order that names channels 0, 1, … once each, got {order.tolist()}"
            )
        super().__init__(len(order), event_dim)
        self.register_buffer("order", order.long().clone())

    @classmethod
    def reverse(cls, num_channels: int, event_dim: int = 1) -> "Permutation":
        """The reversed order: the last channel comes first."""
        return cls(torch.arange(num_channels - 1, -1, -1), event_dim)

    @classmethod
    def random(cls, num_channels: int, seed: int, event_dim: int = 1) -> "Permutation":
        """A random order, the same for the same seed."""
        return cls(torch.randperm(num_channels, generator=torch.Generator().manual_seed(seed)), event_dim)

    def _select(self, value: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
        self.forward_shape(value.shape)
        moved = value.index_select(value.dim() - self.event_dim, order)
        return moved, no_log_det(value, self.event_dim)

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self._select(x, self.order)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self._select(z, self.order.argsort())


class Reversal(Bijection):
    """Reverses the elements of an event along every one of its dimensions; log_det = 0.

    An autoregressive map in raster order between two of these layers has the opposite order. The layer is
    its own inverse. Shapes: any event of ``event_dim`` dimensions. Cost: one copy of x in both directions.
    """

    def __init__(self, event_dim: int = 1) -> None:
        super().__init__()
        self.event_dim = event_dim

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self.forward_shape(x.shape)
        return x.flip(list(range(-self.event_dim, 0))), no_log_det(x, self.event_dim)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return self.forward(z)

    def extra_repr(self) -> str:
        return f"event_dim={self.event_dim}"

"""The base class of bijections that treat each position of an event in the same way, channel by channel."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from wavegen.errors import UserError
from wavegen.flows.bijection import Bijection, require_rank


class ChannelBijection(Bijection):
    """A bijection with a fixed number of channels that does not change the shape of the event.

    Channels are the first of the ``event_dim`` dimensions of the event: the only dimension of a vector (1),
    or the first of an image (3: channels, height, width). The others are positions. Shape functions and both
    directions raise ``UserError`` for an event with another number of channels.
    """

    def __init__(self, num_channels: int, event_dim: int) -> None:
        super().__init__()
        if num_channels < 1 or event_dim < 1:
            raise UserError(
                f"{type(self).__name__}: expected at least one channel and one event dimension, got "
                f"{num_channels} and {event_dim}"
            )
        self.num_channels = num_channels
        self.event_dim = event_dim

    def forward_shape(self, event_shape: Sequence[int]) -> torch.Size:
        require_rank(self, event_shape, self.event_dim)
        if event_shape[-self.event_dim] != self.num_channels:
            wanted = "(" + ", ".join([str(self.num_channels)] + ["…"] * (self.event_dim - 1)) + ")"
            raise UserError(
                f"{type(self).__name__}: expected events of shape {wanted}, got shape {tuple(event_shape)}"
            )
        return torch.Size(event_shape)

    def inverse_shape(self, event_shape: Sequence[int]) -> torch.Size:
        return self.forward_shape(event_shape)

    def batch_and_positions(self, value: Tensor) -> tuple[torch.Size, int]:
        """The batch shape, and the number of positions per event. Raises ``UserError`` as above."""
        self.forward_shape(value.shape)
        start = value.dim() - self.event_dim
        return value.shape[:start], math.prod(value.shape[start + 1 :])

    def over_positions(self, per_channel: Tensor) -> Tensor:
        """Reshapes a vector ``(num_channels,)`` so that it broadcasts over an event."""
        return per_channel.view((self.num_channels,) + (1,) * (self.event_dim - 1))

    def extra_repr(self) -> str:
        return f"{self.num_channels}, event_dim={self.event_dim}"


def channel_moments(value: Tensor, event_dim: int) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of every channel over batch and positions."""
    channel = value.dim() - event_dim
    others = [dim for dim in range(value.dim()) if dim != channel]
    variance, mean = torch.var_mean(value, others, correction=0) if others else (value * 0, value)
    return mean, variance

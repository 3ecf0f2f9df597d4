"""Activation normalisation: a scale and an offset per channel, whose first values a batch gives."""

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.flows.channels import ChannelBijection, channel_moments

CONSTANT_BELOW = 1e-6
"""A channel with a standard deviation below this, or below this part of its mean, is a constant."""


class ActNorm(ChannelBijection):
    """z = (x + loc) · exp(log_scale), per channel; log_det = positions · Σ_c log_scale_c.

    The first batch that passes through ``forward`` in training mode sets loc and log_scale so that each
    channel of z has mean 0 and variance 1 in it. Neither evaluation nor ``inverse`` ever does: noise that
    is generated from says nothing about the data. The buffer ``initialised`` travels in the state dict, so
    that a model that is loaded and trained on keeps what it learned. Before initialisation: the identity.

    A channel that is constant in the first batch (a standard deviation below 1e-6, or below 1e-6 of its
    mean, where float32 sees only rounding) is centred, its scale left at 1: its reciprocal would blow up
    the first batch in which the channel moves. A first batch with one number per channel tells of no scale
    at all, and is not taken for one: the next larger one is.

    The scale is learned by its logarithm; a free factor could pass through 0 and change sign.

    Shapes: ``(…, num_channels)`` for ``event_dim`` 1, ``(…, num_channels, height, width)`` for 3. Cost
    O(size of x) in both directions. Raises ``UserError`` for another number of channels.

    Kingma and Dhariwal 2018, Glow (arXiv 1807.03039), section 3.1.
    """

    def __init__(self, num_channels: int, event_dim: int = 3) -> None:
        super().__init__(num_channels, event_dim)
        self.loc = nn.Parameter(torch.zeros(num_channels))
        self.log_scale = nn.Parameter(torch.zeros(num_channels))
        self.register_buffer("initialised", torch.tensor(False))
        # on an accelerator, reading the buffer makes the host wait: read until it is true, and not after
        self._seen_initialised = False

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        batch_shape, positions = self.batch_and_positions(x)
        if self.training and not self._is_initialised():
            self._initialise(x)
        x, loc, log_scale = at_least_float32(x, self.loc, self.log_scale)
        # the sum first: x · scale + loc · scale cancels where a channel's mean is large beside its deviation
        z = (x + self.over_positions(loc)) * self.over_positions(log_scale.exp())
        return z, (positions * log_scale.sum()).expand(batch_shape)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        batch_shape, positions = self.batch_and_positions(z)
        z, loc, log_scale = at_least_float32(z, self.loc, self.log_scale)
        x = z * self.over_positions((-log_scale).exp()) - self.over_positions(loc)
        return x, (-positions * log_scale.sum()).expand(batch_shape)

    def _is_initialised(self) -> bool:
        self._seen_initialised = self._seen_initialised or bool(self.initialised)
        return self._seen_initialised

    @torch.no_grad()
    def _initialise(self, x: Tensor) -> None:
        if x.numel() <= self.num_channels:
            return
        mean, variance = channel_moments(at_least_float32(x)[0], self.event_dim)
        std = variance.sqrt()
        std = std.where(std > CONSTANT_BELOW * mean.abs().clamp_min(1.0), 1.0)
        self.loc.copy_(-mean)
        self.log_scale.copy_(-std.log())
        self.initialised.fill_(True)

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._seen_initialised = False

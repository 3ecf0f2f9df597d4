"""Activation normalisation: a scale and an offset per channel, initialised from the first batch."""

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.flows.channels import ChannelBijection, channel_moments

CONSTANT_BELOW = 1e-6
"""A channel is constant if its standard deviation is below this, or below this fraction of its mean."""


class ActNorm(ChannelBijection):
    """z = (x + loc) · exp(log_scale), per channel; log_det = positions · Σ_c log_scale_c.

    The first batch in ``forward`` in training mode sets loc and log_scale so that each channel of z has mean
    0 and variance 1. Evaluation mode and ``inverse`` never initialise, because noise says nothing about the
    data. The buffer ``initialised`` is part of the state dict, so a loaded model that is trained further
    keeps its values. Before initialisation, the layer is the identity.

    A channel that is constant in the first batch (standard deviation below 1e-6, or below 1e-6 of its mean,
    where float32 holds only rounding errors) is centred, and its scale stays 1. The reciprocal of its
    deviation would overflow on the first batch in which the channel varies. A batch with one number per
    channel has no scale; the layer is then initialised by the next larger batch.

    The parameter is the logarithm of the scale. A free factor could pass through 0 and change sign.

    Shapes: ``(…, num_channels)`` for ``event_dim`` 1, ``(…, num_channels, height, width)`` for 3. Cost
    O(size of x) in both directions. Raises ``UserError`` if the number of channels differs.

    Kingma and Dhariwal 2018, Glow (arXiv 1807.03039), section 3.1.
    """

    def __init__(self, num_channels: int, event_dim: int = 3) -> None:
        super().__init__(num_channels, event_dim)
        self.loc = nn.Parameter(torch.zeros(num_channels))
        self.log_scale = nn.Parameter(torch.zeros(num_channels))
        self.register_buffer("initialised", torch.tensor(False))
        # Reading the buffer synchronises with an accelerator, so it is not read again once it is true.
        self._seen_initialised = False

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        batch_shape, positions = self.batch_and_positions(x)
        if self.training and not self._is_initialised():
            self._initialise(x)
        x, loc, log_scale = at_least_float32(x, self.loc, self.log_scale)
        # Add first: x · scale + loc · scale cancels if a channel's mean is large against its deviation.
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

"""Convolutional conditioners of Glow: three convolutions for a coupling, one for a prior."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.nets.image_context import ImageContext, per_element, require_context


class GlowNet(nn.Module):
    """Convolution 3×3 – ReLU – 1×1 – ReLU – 3×3, the last one initialised to zero.

    The output of the last layer is multiplied by exp(3 · log_gain) per channel, with learned log_gain, so
    log-scales can grow quickly while the weights stay small. In Glow, ActNorm follows the hidden layers.
    Here they use He initialisation, which preserves the variance through two layers equally well. A
    conditioner without data-dependent state can be copied and resumed without special care.

    The context (see ``ImageContext``) is added before the first ReLU.

    Shapes: ``kept`` ``(batch, in_channels, H, W)``; result ``(batch, out_channels, H, W, num_parameters)``.
    Cost O(H W hidden (9 in + hidden + 9 out · num_parameters)).

    Kingma and Dhariwal 2018 (arXiv 1807.03039), section 3.3 and appendix B.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_parameters: int,
        hidden_channels: int,
        context_features: int = 0,
    ) -> None:
        super().__init__()
        self.num_parameters, self.context_features = num_parameters, context_features
        self.in_features = in_channels
        self.first = nn.Conv2d(in_channels, hidden_channels, 3, padding=1)
        self.second = nn.Conv2d(hidden_channels, hidden_channels, 1)
        for layer in (self.first, self.second):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        self.last = GainedConvolution(hidden_channels, out_channels * num_parameters)
        self.context = ImageContext(context_features, hidden_channels) if context_features else None

    def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
        require_context(self, context, self.context_features)
        # with memory format channels_last, these convolutions take two thirds of the time on a CPU
        hidden = self.first(kept.contiguous(memory_format=torch.channels_last))
        if self.context is not None:
            hidden = hidden + self.context(context, kept)
        hidden = F.relu(self.second(F.relu(hidden, inplace=True)), inplace=True)
        return per_element(self.last(hidden).contiguous(), self.num_parameters)


class GainedConvolution(nn.Conv2d):
    """A 3×3 convolution, initialised to zero, times exp(3 · log_gain) per output channel."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)
        self.log_gain = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        # apply the gain to the weights, which are fewer than the outputs
        gain = torch.exp(3 * self.log_gain)
        return F.conv2d(x, self.weight * gain[:, None, None, None], self.bias * gain, padding=1)


class GainedConvolutionNet(nn.Module):
    """A conditioner of one ``GainedConvolution``, as in the learned prior of Glow's code.

    The context is added to the result through weights that are initialised to zero too.

    Shapes: ``kept`` ``(batch, in_channels, H, W)``; result ``(batch, out_channels, H, W, num_parameters)``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, num_parameters: int, context_features: int = 0
    ) -> None:
        super().__init__()
        self.num_parameters, self.context_features = num_parameters, context_features
        self.in_features = in_channels
        self.last = GainedConvolution(in_channels, out_channels * num_parameters)
        self.context = (
            ImageContext(context_features, out_channels * num_parameters) if context_features else None
        )
        if self.context is not None:
            nn.init.zeros_(self.context.projection.weight)

    def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
        require_context(self, context, self.context_features)
        raw = self.last(kept)
        if self.context is not None:
            raw = raw + self.context(context, kept)
        return per_element(raw, self.num_parameters)

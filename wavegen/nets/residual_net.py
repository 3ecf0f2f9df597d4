"""The conditioner of RealNVP: a residual net over images."""

import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.nets.image_context import ImageContext, per_element, require_context


class ResidualNet(nn.Module):
    """Convolution 3×3, ``num_blocks`` residual blocks, ReLU, convolution 3×3 initialised to zero.

    RealNVP uses batch norm in its residual blocks. Here the blocks have no norm: with batch statistics, the
    density of one image would depend on the other images of the batch, and training (batch statistics) and
    evaluation (running averages) would measure different models. The second convolution of a block is
    initialised to zero, so a block is the identity at first and needs no norm at the depths used (Zhang et
    al. 2019, Fixup, arXiv 1901.09321). The ActNorm or batch norm of the flow keeps the input in range.

    Shapes: ``kept`` ``(batch, in_channels, H, W)``; result ``(batch, out_channels, H, W, num_parameters)``;
    context as in ``ImageContext``, added within every block.
    Cost O(H W (18 num_blocks hidden² + 9 hidden (in + out · num_parameters))).

    Dinh et al. 2017, RealNVP (arXiv 1605.08803), section 3.7.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_parameters: int,
        hidden_channels: int,
        num_blocks: int = 2,
        context_features: int = 0,
    ) -> None:
        super().__init__()
        self.num_parameters, self.context_features = num_parameters, context_features
        self.in_features = in_channels
        self.first = nn.Conv2d(in_channels, hidden_channels, 3, padding=1)
        self.blocks = nn.ModuleList(
            ResidualBlock(hidden_channels, context_features) for _ in range(num_blocks)
        )
        self.last = nn.Conv2d(hidden_channels, out_channels * num_parameters, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
        require_context(self, context, self.context_features)
        hidden = self.first(kept)
        for block in self.blocks:
            hidden = block(hidden, context)
        return per_element(self.last(F.relu(hidden)), self.num_parameters)


class ResidualBlock(nn.Module):
    """x + conv(ReLU(conv(ReLU(x)) + context)), both 3×3, the outer one initialised to zero."""

    def __init__(self, channels: int, context_features: int = 0) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)
        self.context = ImageContext(context_features, channels) if context_features else None

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        hidden = self.first(F.relu(x))
        if self.context is not None:
            hidden = hidden + self.context(context, x)
        return x + self.second(F.relu(hidden))

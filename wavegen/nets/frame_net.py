"""A net at frame rate: parameters of every frame from the features of the frames around it."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from wavegen.errors import UserError
from wavegen.nets.conditioning import entry


class FrameNet(nn.Module):
    """A pointwise layer, convolutions over frames and a small linear layer, all with leaky ReLU between them.

    The features are padded once, by repeating their first and last frame, and the convolutions add no
    padding. Padding an utterance with its last frame therefore leaves its own frames' results unchanged.

    Args:
        in_channels: features per frame.
        num_parameters: results per frame.
        hidden_channels: width.
        kernel_size: odd, of the convolutions over frames.
        num_convolutions: how many.
        input_dropout: probability with which a feature is set to zero in training.
        output_gain: factor on the last layer's initial weights; its biases start at zero.
        key: the context entry, ``(batch, in_channels, frames)``.

    Attributes:
        context_frames: number of frames before, and of frames after, that a frame's result depends on.

    Shapes: ``forward(context) -> (batch, frames, num_parameters)``.

    Raises:
        UserError: if the kernel size is even or below 1; if the context has no such entry, or one of another
            number of features.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_parameters: int,
        hidden_channels: int = 160,
        kernel_size: int = 9,
        num_convolutions: int = 2,
        input_dropout: float = 0.0,
        output_gain: float = 0.1,
        key: str = "features",
    ) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise UserError(f"FrameNet: expected an odd kernel_size, got {kernel_size}")
        self.in_channels, self.num_parameters, self.key = in_channels, num_parameters, key
        self.context_frames = num_convolutions * (kernel_size // 2)
        layers: list[nn.Module] = [nn.Dropout(input_dropout), nn.Conv1d(in_channels, hidden_channels, 1)]
        for _ in range(num_convolutions):
            layers += [nn.LeakyReLU(0.2), nn.Conv1d(hidden_channels, hidden_channels, kernel_size)]
        self.hidden = nn.Sequential(*layers, nn.LeakyReLU(0.2))
        self.last = nn.Conv1d(hidden_channels, num_parameters, 1)
        nn.init.zeros_(self.last.bias)
        self.last.weight.data.mul_(output_gain)

    def forward(self, context: Mapping[str, Tensor] | None) -> Tensor:
        features = entry(context, self.key)
        if features.shape[-2] != self.in_channels:
            raise UserError(
                f"context entry '{self.key}' has {features.shape[-2]} features per frame, "
                f"expected {self.in_channels}"
            )
        padded = functional.pad(features, (self.context_frames, self.context_frames), mode="replicate")
        return self.last(self.hidden(padded)).transpose(1, 2)

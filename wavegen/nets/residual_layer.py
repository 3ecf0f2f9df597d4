"""A layer of a WaveNet: a dilated causal convolution with a gate and a residual connection."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavegen.nets.gate import plain_gate
from wavegen.nets.gated_layer import LayerConditioning, LayerWeights, gated_layer


class GatedResidualLayer(nn.Module):
    r"""A dilated causal convolution with a gate and a residual connection.

    .. math::
        h_t &= \tanh(a_t) \odot \sigma(b_t), \quad
        (a_t, b_t) = \sum_{j=0}^{k-1} W_j x_{t - (k-1-j) d} + V c_t + w \\
        x'_t &= x_t + R h_t, \qquad s_t = S h_t

    Shapes, time-major: residual stream ``(batch, time, residual)``, sum of skips ``(batch, time, skip)``
    (None before the first layer, and if there are no skips). Both are overwritten and returned, see
    :func:`~wavegen.nets.gated_layer.gated_layer`.
    """

    def __init__(
        self,
        *,
        residual_channels: int,
        gate_channels: int,
        skip_channels: int,
        conditioning_channels: int,
        kernel_size: int,
        dilation: int,
    ) -> None:
        super().__init__()
        self.residual_channels = residual_channels
        self.past = (kernel_size - 1) * dilation
        self.dilated = nn.Conv1d(residual_channels, gate_channels, kernel_size, dilation=dilation)
        self.conditioning = (
            nn.Conv1d(conditioning_channels, gate_channels, 1, bias=False) if conditioning_channels else None
        )
        self.output = nn.Conv1d(gate_channels // 2, residual_channels + skip_channels, 1)

    def forward(
        self, stream: Tensor, skips: Tensor | None, conditioning: LayerConditioning, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor | None]:
        dilated, output = self.dilated, self.output
        weights = LayerWeights(dilated.weight, dilated.bias, output.weight, output.bias, dilated.dilation[0])
        return gated_layer(stream, skips, conditioning, weights, dtype)

    def step(self, x: Tensor, taps: Tensor, conditioning: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """One time step: ``x (batch, residual)``, its ``taps (batch, residual, kernel_size)``, oldest first.

        Uses matrix products; for one sample, convolutions have several times the overhead.
        """
        hidden = functional.linear(taps.flatten(1), self.dilated.weight.flatten(1), self.dilated.bias)
        if conditioning is not None:
            assert self.conditioning is not None
            hidden = hidden + functional.linear(conditioning, self.conditioning.weight.flatten(1))
        out = pointwise(self.output, plain_gate(hidden))
        if out.shape[1] == self.residual_channels:
            return x + out, None
        return x + out[:, : self.residual_channels], out[:, self.residual_channels :]


def pointwise(convolution: nn.Conv1d, x: Tensor) -> Tensor:
    """A convolution of kernel 1, ``(…, in) -> (…, out)``."""
    return functional.linear(x, convolution.weight.flatten(1), convolution.bias)


def run_layers(
    layers: Sequence[tuple[GatedResidualLayer, LayerConditioning]], dtype: torch.dtype, stream: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Runs layers in series; returns the residual stream after them and the sum of their skips."""
    skips = None
    with torch.autocast(stream.device.type, enabled=False):  # each layer sets its own precisions
        for layer, conditioning in layers:
            stream, skips = layer(stream, skips, conditioning, dtype)
    return stream, skips


def on_a_copy(run: Callable[[Tensor], tuple[Tensor, Tensor | None]]) -> Callable:
    """Wraps ``run`` so that it works on a copy of the stream, because layers overwrite their input."""
    return lambda stream: run(stream.clone())

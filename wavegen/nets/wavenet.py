"""WaveNet: a stack of dilated causal convolutions with gates, as a conditioner."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from wavegen.nets.conditioning import Conditioning, Context


def dilation_cycles(num_layers: int, cycle_length: int) -> list[int]:
    """1, 2, 4 … 2^(cycle_length−1), begun anew each cycle, for ``num_layers`` layers."""
    return [2 ** (layer % cycle_length) for layer in range(num_layers)]


class GatedResidualLayer(nn.Module):
    r"""One dilated causal convolution with a gate.

    .. math::
        h_t &= \tanh(a_t) \odot \sigma(b_t), \quad
        (a_t, b_t) = \sum_{j=0}^{k-1} W_j x_{t - (k-1-j) d} + V c_t + w \\
        x'_t &= x_t + R h_t, \qquad s_t = S h_t

    Shapes: ``x (batch, residual, time)``, conditioning ``(batch, conditioning, time)``; returns the next
    residual stream and the skip contribution (None without skip channels).
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

    def forward(self, x: Tensor, conditioning: Tensor | None) -> tuple[Tensor, Tensor | None]:
        hidden = self.dilated(functional.pad(x, (self.past, 0)))
        if conditioning is not None:
            hidden = hidden + self.conditioning(conditioning)
        return self.split(x, self.output(gated(hidden)))

    def step(self, x: Tensor, taps: Tensor, conditioning: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """One time step: ``x (batch, residual)``, its ``taps (batch, residual, kernel_size)``, oldest first.

        Matrix products instead of convolutions, which for one sample cost several times as much to set up.
        """
        hidden = functional.linear(taps.flatten(1), self.dilated.weight.flatten(1), self.dilated.bias)
        if conditioning is not None:
            hidden = hidden + functional.linear(conditioning, self.conditioning.weight.flatten(1))
        return self.split(x, pointwise(self.output, gated(hidden)))

    def split(self, x: Tensor, out: Tensor) -> tuple[Tensor, Tensor | None]:
        """The next residual stream, and what is skipped to the output."""
        if out.shape[1] == self.residual_channels:
            return x + out, None
        return x + out[:, : self.residual_channels], out[:, self.residual_channels :]


def gated(hidden: Tensor) -> Tensor:
    """tanh of the first half of the channels times the sigmoid of the second."""
    signal, gate = hidden.chunk(2, dim=1)
    return torch.tanh(signal) * torch.sigmoid(gate)


def pointwise(convolution: nn.Conv1d, x: Tensor) -> Tensor:
    """A convolution of kernel 1 at one time step, ``(batch, in) -> (batch, out)``."""
    return functional.linear(x, convolution.weight.flatten(1), convolution.bias)


class WaveNet(nn.Module):
    r"""Strictly causal conditioner of a waveform: parameters of :math:`x_t` from :math:`x_{<t}` and context.

    The input is shifted by one sample, lifted to the residual channels by a pointwise convolution, and passed
    through gated residual layers of the given dilations. With skip channels the output net reads the sum of
    all layers' skips (the teacher of van den Oord et al. 2016); with ``skip_channels=0`` it reads the last
    residual stream (the student's flows of Parallel WaveNet, arXiv 1711.10433). The residual stream, the
    shifted input and the output stay in float32 under autocast.

    Args:
        num_parameters: numbers per sample that the τ or head wants.
        dilations: one per layer, see :func:`dilation_cycles`.
        kernel_size: of the dilated convolutions.
        residual_channels, gate_channels, skip_channels: widths; the gate's counts both halves.
        output_channels: hidden width of the two-layer output net.
        conditioning: injected parts, None for an unconditional net.
        input_gain: the waveform is multiplied by it (speech has an RMS near 0.1; nets like 1).
        input_dropout: probability with which an input sample is hidden while training; makes the
            net lean on its conditioning.

    Shapes: ``(batch, time) -> (batch, time, num_parameters)``.
    """

    def __init__(
        self,
        *,
        num_parameters: int,
        dilations: Sequence[int],
        kernel_size: int = 2,
        residual_channels: int = 64,
        gate_channels: int = 128,
        skip_channels: int = 64,
        output_channels: int = 64,
        conditioning: Sequence[nn.Module] = (),
        input_gain: float = 1.0,
        input_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.input_gain = input_gain
        self.kernel_size, self.dilations = kernel_size, tuple(dilations)
        self.conditioning = Conditioning(conditioning) if len(conditioning) else None
        self.input_dropout = nn.Dropout(input_dropout)
        self.input = nn.Conv1d(1, residual_channels, 1)
        self.layers = nn.ModuleList(
            GatedResidualLayer(
                residual_channels=residual_channels,
                gate_channels=gate_channels,
                skip_channels=skip_channels,
                conditioning_channels=self.conditioning.channels if self.conditioning else 0,
                kernel_size=kernel_size,
                dilation=dilation,
            )
            for dilation in dilations
        )
        self.output = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Conv1d(skip_channels or residual_channels, output_channels, 1),
            nn.LeakyReLU(0.2),
            nn.Conv1d(output_channels, num_parameters, 1),
        )

    @property
    def receptive_field(self) -> int:
        """How many past samples :math:`x_{t-1}, x_{t-2}, …` the parameters of :math:`x_t` depend on."""
        return 1 + (self.kernel_size - 1) * sum(self.dilations)

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        conditioning = self.project_context(context, x.shape[-1])
        stream = self.lift(functional.pad(x, (1, 0))[:, :-1].unsqueeze(1))
        skips = None
        for layer in self.layers:
            stream, skip = layer(stream, conditioning)
            if skip is not None:
                # Summed in float32 under autocast: thirty terms in bfloat16 would lose their last digits.
                skips = skip.to(stream.dtype) if skips is None else skips + skip
        return self.read(stream if skips is None else skips).transpose(1, 2)

    def lift(self, x: Tensor) -> Tensor:
        """The waveform ``(batch, 1, time)`` as residual stream, in the waveform's own precision."""
        with torch.autocast(x.device.type, enabled=False):
            return self.input(self.input_dropout(x) * self.input_gain)

    def read(self, hidden: Tensor) -> Tensor:
        """The output net; its last layer computes in at least float32, whatever autocast says."""
        hidden = self.output[:-1](hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            return self.output[-1](hidden.to(self.output[-1].weight.dtype))

    # Step form: one sample at a time, for samplers.

    def project_context(self, context: Context | None, num_samples: int) -> Tensor | None:
        """Conditioning at sample rate, ``(batch, channels, num_samples)``; None when unconditional."""
        return None if self.conditioning is None else self.conditioning(context, num_samples)

    def initial_state(self, batch_size: int) -> "WaveNetState":
        """The state before the first sample: ring buffers of zeros, as the parallel form pads."""
        weight = self.input.weight
        return WaveNetState(
            [weight.new_zeros(batch_size, layer.residual_channels, layer.past + 1) for layer in self.layers]
        )

    def step(
        self, x_previous: Tensor, projected: Tensor | None, state: "WaveNetState"
    ) -> tuple[Tensor, "WaveNetState"]:
        """Parameters ``(batch, num_parameters)`` of the next sample.

        Args:
            x_previous: ``(batch,)``, the sample before; zeros at the start.
            projected: ``(batch, channels)``, this step's column of :meth:`project_context`.
            state: from :meth:`initial_state` or the last step; its buffers are overwritten in place.
        """
        stream = pointwise(self.input, x_previous[:, None] * self.input_gain)
        skips = None
        for layer, buffer in zip(self.layers, state.buffers, strict=True):
            size = buffer.shape[-1]
            buffer[:, :, state.time % size] = stream
            taps = [(state.time - lag) % size for lag in range(layer.past, -1, -layer.dilated.dilation[0])]
            stream, skip = layer.step(stream, torch.stack([buffer[:, :, tap] for tap in taps], -1), projected)
            if skip is not None:
                skips = skip if skips is None else skips + skip
        hidden = stream if skips is None else skips
        for layer in self.output:
            hidden = pointwise(layer, hidden) if isinstance(layer, nn.Conv1d) else layer(hidden)
        return hidden, WaveNetState(state.buffers, state.time + 1)


@dataclass
class WaveNetState:
    """Per layer the ring buffer of its past inputs, ``(batch, residual, past + 1)``, and the samples seen."""

    buffers: list[Tensor]
    time: int = 0

"""WaveNet: a stack of gated dilated causal convolutions, as a conditioner."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from wavegen.nets.conditioning import Conditioning, Context
from wavegen.nets.gated_layer import LayerConditioning
from wavegen.nets.layer_conditioning import layer_conditionings
from wavegen.nets.residual_layer import GatedResidualLayer, on_a_copy, pointwise, run_layers


def dilation_cycles(num_layers: int, cycle_length: int) -> list[int]:
    """1, 2, 4 … 2^(cycle_length−1), repeated in cycles for ``num_layers`` layers."""
    return [2 ** (layer % cycle_length) for layer in range(num_layers)]


class WaveNet(nn.Module):
    r"""Strictly causal conditioner of a waveform: parameters of :math:`x_t` from :math:`x_{<t}` and context.

    The input is shifted by one sample, mapped to the residual channels by a pointwise convolution, and passed
    through gated residual layers of the given dilations. With skip channels, the output net reads the sum of
    the skips of all layers (the teacher of van den Oord et al. 2016). With ``skip_channels=0`` it reads the
    last residual stream (the student's flows of Parallel WaveNet, arXiv 1711.10433). The residual stream, the
    shifted input and the output stay in float32 under autocast.

    Args:
        num_parameters: parameters per sample that the τ or head takes.
        dilations: one per layer, see :func:`dilation_cycles`.
        kernel_size: of the dilated convolutions.
        residual_channels, gate_channels, skip_channels: widths; ``gate_channels`` counts both halves.
        output_channels: hidden width of the two-layer output net.
        conditioning: injected parts, empty for an unconditional net.
        input_gain: factor on the waveform (speech has an RMS near 0.1; nets work best near 1).
        input_dropout: probability with which an input sample is set to zero in training, so that the net
            relies more on its conditioning.

    Attributes:
        checkpoint_layers: groups of this many layers store only their input for the gradient and recompute
            the rest; 0 stores everything. It affects memory and time but not results, so it is set on the
            net and not saved.

    Shapes: ``(batch, time) -> (batch, time, num_parameters)``.
    """

    checkpoint_layers = 0

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
        """Number of past samples :math:`x_{t-1}, x_{t-2}, …` that the parameters of :math:`x_t` depend on."""
        return 1 + (self.kernel_size - 1) * sum(self.dilations)

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        stream, skips = self.lift(functional.pad(x, (1, 0))[:, :-1]), None
        gated = cast(Iterable[GatedResidualLayer], self.layers)
        layers = list(zip(gated, self.layer_conditionings(context, x.shape[-1]), strict=True))
        size = self.checkpoint_layers or len(layers)
        for first in range(0, len(layers), size):
            run = partial(run_layers, layers[first : first + size], self.product_dtype())
            if self.checkpoint_layers and torch.is_grad_enabled():
                # A group overwrites its stream, but recomputation starts from that input: give it a copy.
                stream, its_skips = checkpoint(on_a_copy(run), stream, use_reentrant=False)
            else:
                stream, its_skips = run(stream)
            if its_skips is not None:
                skips = its_skips if skips is None else skips + its_skips
        return self.read(stream if skips is None else skips)

    def lift(self, x: Tensor) -> Tensor:
        """Maps the waveform ``(batch, time)`` to the residual stream, in the precision of the waveform."""
        with torch.autocast(x.device.type, enabled=False):
            scaled = (self.input_dropout(x) * self.input_gain).unsqueeze(-1)
            return torch.addcmul(self.input.bias, scaled, self.input.weight[:, 0, 0])

    def read(self, hidden: Tensor) -> Tensor:
        """The output net; its last layer computes in at least float32, also under autocast."""
        activation, first, last_activation, last = cast(Iterable[Any], self.output)
        hidden = last_activation(pointwise(first, activation(hidden)))
        with torch.autocast(hidden.device.type, enabled=False):
            return pointwise(last, hidden.to(last.weight.dtype))

    def layer_conditionings(self, context: Context | None, num_samples: int) -> list[LayerConditioning]:
        """The terms each layer adds to its gates; parts that commute with the projection at frame rate."""
        if self.conditioning is None:
            return [LayerConditioning()] * len(self.layers)
        projections = [layer.conditioning.weight for layer in self.layers]
        return layer_conditionings(self.conditioning, projections, context, num_samples, self.product_dtype())

    def product_dtype(self) -> torch.dtype:
        """The precision of the layers' products: that of autocast if enabled, else that of the weights."""
        device = self.input.weight.device.type
        return (
            torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.input.weight.dtype
        )

    # Step form: one sample at a time, for samplers.

    def project_context(self, context: Context | None, num_samples: int) -> Tensor | None:
        """Conditioning at sample rate, ``(batch, channels, num_samples)``; None if unconditional."""
        return None if self.conditioning is None else self.conditioning(context, num_samples)

    def initial_state(self, batch_size: int) -> "WaveNetState":
        """The state before the first sample: ring buffers of zeros, matching the padding of ``forward``."""
        weight = self.input.weight
        return WaveNetState(
            [weight.new_zeros(batch_size, layer.residual_channels, layer.past + 1) for layer in self.layers]
        )

    def step(
        self, x_previous: Tensor, projected: Tensor | None, state: "WaveNetState"
    ) -> tuple[Tensor, "WaveNetState"]:
        """Parameters ``(batch, num_parameters)`` of the next sample.

        Args:
            x_previous: ``(batch,)``, the previous sample; zeros at the start.
            projected: ``(batch, channels)``, this step's column of :meth:`project_context`.
            state: from :meth:`initial_state` or the previous step; its buffers are overwritten in place.
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
    """Per layer a ring buffer of past inputs, ``(batch, residual, past + 1)``; and the number of samples."""

    buffers: list[Tensor]
    time: int = 0

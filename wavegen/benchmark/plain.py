"""The plain form of a WaveNet: one ``conv1d`` after the other, as in papers and public code.

It is the baseline of faster forms of training and synthesis. It is not optimised when
:class:`~wavegen.nets.wavenet.WaveNet` is; a test checks that both compute the same numbers.
"""

import torch
from torch import Tensor
from torch.nn import functional

from wavegen.nets.conditioning import Context
from wavegen.nets.wavenet import WaveNet


class PlainWaveNet(WaveNet):
    """A WaveNet whose parallel pass uses padding, convolutions and elementwise functions only."""

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        conditioning = self.project_context(context, x.shape[-1])
        stream = self.input(functional.pad(x, (1, 0))[:, None, :-1] * self.input_gain)
        skips = None
        for layer in self.layers:
            hidden = layer.dilated(functional.pad(stream, (layer.past, 0)))
            if conditioning is not None:
                hidden = hidden + layer.conditioning(conditioning)
            signal, gate = hidden.chunk(2, dim=1)
            out = layer.output(torch.tanh(signal) * torch.sigmoid(gate))
            stream = stream + out[:, : layer.residual_channels]
            if out.shape[1] > layer.residual_channels:
                skip = out[:, layer.residual_channels :]
                skips = skip if skips is None else skips + skip
        # Parameters of a distribution are never in bfloat16.
        return self.output(stream if skips is None else skips).transpose(1, 2).to(self.input.weight.dtype)

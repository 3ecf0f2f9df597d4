"""A classifier that hears the phone of every frame of a waveform; its layers measure perceptual distances."""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavegen.errors import UserError

QUIETEST = 1e-6
"""Added to the power of a filter's output before its logarithm: below the 16-bit grid."""
LOWEST_HZ = 60.0


class PhoneClassifier(nn.Module):
    r"""Learned filters, their log powers, and a stack of gated dilated convolutions, which is not causal.

    Filters come in pairs, initialised to a sine and a cosine under a Hann window, at frequencies that are
    equally spaced in mel from 60 Hz to 95 % of the Nyquist frequency. The sum of a pair's squares is the
    power of its band, so what follows hears little of the phase. Every layer is WaveNet's,
    :math:`h \leftarrow h + W(\tanh a \cdot \sigma(b))`, with a, b from a dilated convolution of h that looks
    both ways. The output net reads the mean of each frame.

    Shapes: waveform ``(batch, time)`` → logits ``(batch, num_phones, time // hop_samples)``.

    Args:
        num_phones: number of classes.
        sample_rate: of the waveform, Hz.
        hop_samples: samples in a frame.
        num_filters: number of bands.
        steps_per_frame: time steps of the layers in a frame; ``hop_samples`` must be a multiple.
        window_ms: length of the filters, milliseconds.
        channels: of the layers and of the output net.
        num_layers: number of layers; the dilations are 1, 2, 4, …
        kernel_size: taps of a dilated convolution, odd.
        dropout: probability with which a channel of a layer's input is set to 0 in training.

    Raises:
        UserError: if ``steps_per_frame`` does not divide ``hop_samples``, or ``kernel_size`` is even.

    Gated stack: van den Oord et al. 2016 (arXiv 1609.03499), section 3.4, where a WaveNet classifies phones;
    filters: Zeghidour et al. 2021 (arXiv 2101.08596).
    """

    def __init__(
        self,
        *,
        num_phones: int,
        sample_rate: int,
        hop_samples: int,
        num_filters: int = 64,
        steps_per_frame: int = 4,
        window_ms: float = 16.0,
        channels: int = 64,
        num_layers: int = 6,
        kernel_size: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if hop_samples % steps_per_frame:
            raise UserError(
                f"steps_per_frame must divide the {hop_samples} samples of a frame, got {steps_per_frame}"
            )
        if kernel_size % 2 == 0:
            raise UserError(f"a classifier's kernel_size must be odd, got {kernel_size}")
        self.sample_rate = sample_rate
        self.steps_per_frame, self.stride = steps_per_frame, hop_samples // steps_per_frame
        window_samples = max(round(window_ms * sample_rate / 1000), self.stride)
        # Sample t · stride + stride / 2 is at the centre of the window of step t.
        before = (window_samples - self.stride) // 2
        self.padding = (before, window_samples - self.stride - before)
        # Registered before it is filled, so that a description from elsewhere cannot fill memory.
        self.filters = nn.Parameter(torch.empty(2 * num_filters, 1, window_samples))
        with torch.no_grad():
            self.filters.copy_(gabor_pairs(num_filters, window_samples, sample_rate))
        self.first = nn.Conv1d(num_filters, channels, 1)
        self.layers = nn.ModuleList(
            TwoSidedLayer(channels, kernel_size, 2**index, dropout) for index in range(num_layers)
        )
        self.output = nn.Sequential(
            nn.ReLU(), nn.Conv1d(channels, channels, 1), nn.ReLU(), nn.Conv1d(channels, num_phones, 1)
        )
        steps = (kernel_size - 1) // 2 * (2**num_layers - 1)
        self.receptive_field = steps * self.stride + window_samples // 2
        """Samples on either side that a time step depends on."""

    def forward(self, waveform: Tensor) -> Tensor:
        hidden = self._first(waveform)
        for layer in self.layers:
            hidden, _ = layer(hidden)
        return self.output(F.avg_pool1d(hidden, self.steps_per_frame))

    def activations(self, waveform: Tensor) -> list[Tensor]:
        """The gated activations of every layer in (−1, 1), ``(batch, channels, steps)`` each."""
        hidden, found = self._first(waveform), []
        for layer in self.layers:
            hidden, gated = layer(hidden)
            found.append(gated)
        return found

    def _first(self, waveform: Tensor) -> Tensor:
        padded = F.pad(waveform.to(self.filters.dtype), self.padding)
        sines, cosines = F.conv1d(padded.unsqueeze(1), self.filters, stride=self.stride).chunk(2, 1)
        log_power = (sines.square() + cosines.square() + QUIETEST).log()
        return cast(Tensor, self.first(0.25 * log_power + 2.0))  # speech's powers are near e⁻⁸


class TwoSidedLayer(nn.Module):
    """A gated residual layer that looks both ways: returns its output and its gated activations."""

    def __init__(self, channels: int, kernel_size: int, dilation: int, dropout: float) -> None:
        super().__init__()
        padding = (kernel_size - 1) // 2 * dilation
        self.dilated = nn.Conv1d(channels, 2 * channels, kernel_size, dilation=dilation, padding=padding)
        self.mixed = nn.Conv1d(channels, channels, 1)
        self.dropout = nn.Dropout1d(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        signal, gate = self.dilated(self.dropout(x)).chunk(2, 1)
        gated = signal.tanh() * gate.sigmoid()
        return x + self.mixed(gated), gated


def gabor_pairs(num_filters: int, window_samples: int, sample_rate: int) -> Tensor:
    """Sines, then cosines, under a Hann window with a sum of 1: ``(2 · num_filters, 1, window_samples)``."""
    highest_hz = 0.95 * sample_rate / 2
    mel = torch.linspace(to_mel(LOWEST_HZ), to_mel(highest_hz), num_filters, dtype=torch.float64)
    frequency_hz = 700 * (10 ** (mel / 2595) - 1)
    time_s = (torch.arange(window_samples, dtype=torch.float64) - (window_samples - 1) / 2) / sample_rate
    window = torch.hann_window(window_samples, dtype=torch.float64)
    phase = 2 * math.pi * frequency_hz[:, None] * time_s
    pairs = torch.cat([phase.sin(), phase.cos()]) * window / window.sum()
    return pairs.unsqueeze(1).float()


def to_mel(frequency_hz: float) -> float:
    return 2595 * math.log10(1 + frequency_hz / 700)

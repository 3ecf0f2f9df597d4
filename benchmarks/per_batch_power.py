"""The power loss as it was before it had a level of its own: in units of the batch's RMS magnitude.

``same_weights.py`` puts it in the place of today's, to compare weights with a checkout that has no other.
"""

import torch
from torch import Tensor, nn

from wavegen.audio.spectra import stft_magnitude
from wavegen.objectives.distillation import DistillationStep, Term


class PerBatchPowerLoss(nn.Module):
    """Its arguments are those of the former configuration, its formula is ``PowerLoss``'s."""

    def __init__(
        self, *, sample_rate: int, low_band_hz: float, low_band_weight: float, log_weight: float
    ) -> None:
        super().__init__()
        self.sample_rate, self.low_band_hz = sample_rate, low_band_hz
        self.low_band_weight, self.log_weight = low_band_weight, log_weight

    def forward(self, step: DistillationStep) -> Term:
        sample, recording = step.sample * step.mask, step.recording * step.mask
        total = sample.new_zeros(())
        resolutions = ((512, 80, 320), (1024, 160, 640), (256, 40, 128))
        for fft_size, hop_samples, window_samples in resolutions:
            size = {"fft_size": fft_size, "hop_samples": hop_samples, "window_samples": window_samples}
            reference, estimate = stft_magnitude(recording, **size), stft_magnitude(sample, **size)
            total = total + self._distance(estimate, reference)
        return Term(total / len(resolutions))

    def _distance(self, estimate: Tensor, reference: Tensor) -> Tensor:
        unit = reference.square().mean().sqrt().clamp(min=1e-5)
        frequency_hz = torch.linspace(0, self.sample_rate / 2, reference.shape[-2])
        weight = torch.where(frequency_hz < self.low_band_hz, self.low_band_weight, 1.0)
        weight = (weight / weight.mean()).unsqueeze(-1)
        linear = ((estimate - reference) / unit).square()
        floor = 1e-3 * unit
        logarithmic = ((estimate + floor).log() - (reference + floor).log()).abs()
        return (weight * (linear + self.log_weight * logarithmic)).mean()

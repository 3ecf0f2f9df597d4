"""Power loss: the student's short-time spectrum against the recording's."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.audio.spectra import stft_magnitude


class PowerLoss(nn.Module):
    r"""Distance of short-time magnitudes at several resolutions (Parallel WaveNet §4.1, as it worked).

    .. math:: L = \frac{1}{M} \sum_m \operatorname{mean}_{f,n}\, w_f \left[
              \left(\frac{|S|_{fn} - |\hat S|_{fn}}{\bar S}\right)^2
              + \lambda \left|\log(|S|_{fn} + \epsilon) - \log(|\hat S|_{fn} + \epsilon)\right| \right]

    Without a power loss the student's level collapses or explodes. The squared difference of *magnitudes*
    rules loud harmonics (of powers or of logarithms alone, others heard two kinds of noise); the small
    logarithmic term keeps the quiet bands and pauses. :math:`\bar S` is the batch's RMS magnitude at that
    resolution, so the loss has no unit; :math:`\epsilon` is :math:`10^{-3}` of it.

    Args:
        resolutions: ``(fft_size, hop_samples, window_samples)`` each.
        sample_rate: of the waveforms, Hz.
        low_band_hz: bins below it are weighted by ``low_band_weight``.
        low_band_weight: 1 for none.
        log_weight: :math:`\lambda`.
    """

    def __init__(
        self,
        *,
        resolutions: Sequence[tuple[int, int, int]],
        sample_rate: int,
        low_band_hz: float = 3000.0,
        low_band_weight: float = 2.0,
        log_weight: float = 0.5,
    ) -> None:
        super().__init__()
        self.resolutions = tuple(tuple(resolution) for resolution in resolutions)
        self.sample_rate, self.low_band_hz = sample_rate, low_band_hz
        self.low_band_weight, self.log_weight = low_band_weight, log_weight

    def forward(self, sample: Tensor, recording: Tensor) -> Tensor:
        """Both ``(batch, time)``; a scalar without unit, zero only for equal magnitudes."""
        total = sample.new_zeros(())
        for fft_size, hop_samples, window_samples in self.resolutions:
            size = {"fft_size": fft_size, "hop_samples": hop_samples, "window_samples": window_samples}
            reference = stft_magnitude(recording, **size)
            estimate = stft_magnitude(sample, **size)
            unit = reference.square().mean().sqrt().clamp(min=1e-5)
            frequency_hz = torch.linspace(0, self.sample_rate / 2, reference.shape[-2], device=sample.device)
            weight = torch.where(frequency_hz < self.low_band_hz, self.low_band_weight, 1.0)
            weight = (weight / weight.mean()).unsqueeze(-1)
            linear = ((estimate - reference) / unit).square()
            floor = 1e-3 * unit
            logarithmic = ((estimate + floor).log() - (reference + floor).log()).abs()
            total = total + (weight * (linear + self.log_weight * logarithmic)).mean()
        return total / len(self.resolutions)

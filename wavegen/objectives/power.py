"""Power loss: the distance between the short-time spectra of student and recording."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.audio.spectra import stft_magnitude
from wavegen.errors import UserError
from wavegen.objectives.distillation import DistillationStep, Term

SMALLEST_UNIT = 1e-5
"""The reference magnitude for a corpus of silence: a magnitude below the 16-bit grid."""


class PowerLoss(nn.Module):
    r"""Distance of short-time magnitudes at several resolutions, after Parallel WaveNet §4.1.

    .. math:: L = \frac{1}{M} \sum_m \operatorname{mean}_{f,n}\, w_f \left[
              \left(\frac{|S|_{fn} - |\hat S|_{fn}}{\bar S}\right)^2
              + \lambda \left|\log(|S|_{fn} + \epsilon) - \log(|\hat S|_{fn} + \epsilon)\right| \right]

    Without a power loss, the student's level collapses or explodes. The squared difference of *magnitudes*
    controls loud harmonics (losses on powers or on logarithms alone gave audible noise); the small
    logarithmic term preserves quiet bands and pauses. :math:`\bar S` is the RMS magnitude of the corpus at
    that resolution, so the loss has no unit and does not weight quiet segments more than loud ones.
    :math:`\epsilon` is :math:`10^{-3}` of it.

    Args:
        resolutions_ms: pairs ``(window, hop)`` in milliseconds, because hearing does not depend on the
            sample rate. The transform size is the next power of two above the window.
        sample_rate: of the waveforms, Hz.
        low_band_hz: bins below this frequency have the weight ``low_band_weight``.
        low_band_weight: 1 for no weighting.
        log_weight: :math:`\lambda`.

    Raises:
        UserError: if a window or hop is shorter than a sample.
    """

    def __init__(
        self,
        *,
        resolutions_ms: Sequence[tuple[float, float]],
        sample_rate: int,
        low_band_hz: float = 3000.0,
        low_band_weight: float = 2.0,
        log_weight: float = 0.5,
    ) -> None:
        super().__init__()
        self.sizes = tuple(stft_size(*resolution, sample_rate) for resolution in resolutions_ms)
        self.sample_rate, self.low_band_hz = sample_rate, low_band_hz
        self.low_band_weight, self.log_weight = low_band_weight, log_weight
        # A property of the corpus, not of the model: computed at every start and not stored in checkpoints.
        self.register_buffer("units", torch.zeros(len(self.sizes)), persistent=False)

    def fit_to_data(self, recordings: Sequence[Tensor]) -> None:
        """Computes :math:`\\bar S` of these recordings, ``(samples,)`` each."""
        for index, size in enumerate(self.sizes):
            total, count = 0.0, 0
            for recording in recordings:
                magnitude = stft_magnitude(torch.as_tensor(recording), **size).double()
                total, count = total + float(magnitude.square().sum()), count + magnitude.numel()
            self.units[index] = max((total / max(count, 1)) ** 0.5, SMALLEST_UNIT)

    def forward(self, step: DistillationStep) -> Term:
        """The distance of the step's sample from its recording; both are silent where nothing is scored."""
        return Term(self.distance(step.sample * step.mask, step.recording * step.mask))

    def distance(self, sample: Tensor, recording: Tensor) -> Tensor:
        """Both ``(batch, time)``; a scalar without unit, zero only for equal magnitudes.

        Raises:
            UserError: if ``fit_to_data`` has not been called.
        """
        if not self.units.all():
            raise UserError(
                "the power loss has no reference level, expected a call of fit_to_data(recordings)"
            )
        total = sample.new_zeros(())
        for unit, size in zip(self.units, self.sizes, strict=True):
            total = total + self._distance_at(sample, recording, unit, size)
        return total / len(self.sizes)

    def _distance_at(self, sample: Tensor, recording: Tensor, unit: Tensor, size: dict[str, int]) -> Tensor:
        reference, estimate = stft_magnitude(recording, **size), stft_magnitude(sample, **size)
        frequency_hz = torch.linspace(0, self.sample_rate / 2, reference.shape[-2], device=sample.device)
        weight = torch.where(frequency_hz < self.low_band_hz, self.low_band_weight, 1.0)
        weight = (weight / weight.mean()).unsqueeze(-1)
        linear = ((estimate - reference) / unit).square()
        floor = 1e-3 * unit
        logarithmic = ((estimate + floor).log() - (reference + floor).log()).abs()
        return (weight * (linear + self.log_weight * logarithmic)).mean()


def stft_size(window_ms: float, hop_ms: float, sample_rate: int) -> dict[str, int]:
    """Arguments of :func:`~wavegen.audio.spectra.stft` for a window and hop in milliseconds.

    Raises:
        UserError: if either is shorter than a sample.
    """
    window_samples, hop_samples = (round(ms * sample_rate / 1000) for ms in (window_ms, hop_ms))
    if min(window_samples, hop_samples) < 1:
        raise UserError(
            f"a resolution of {window_ms} ms windows every {hop_ms} ms is less than a sample at "
            f"{sample_rate} Hz, expected at least one"
        )
    fft_size = 2 ** window_samples.bit_length()
    return {"fft_size": fft_size, "hop_samples": hop_samples, "window_samples": window_samples}

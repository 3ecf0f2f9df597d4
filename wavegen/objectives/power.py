"""Power loss: the distance between the short-time spectra of student and recording."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wavegen.objectives.distillation import DistillationStep, Term
from wavegen.objectives.reduction import scored_part
from wavegen.objectives.short_time import CorpusSpectra


class PowerLoss(nn.Module):
    r"""Distance of short-time magnitudes at several resolutions, after Parallel WaveNet §4.1.

    .. math:: L = \frac{1}{M} \sum_m \operatorname{mean}_{f,n}\, w_f \left[
              \left(\frac{|S|_{fn} - |\hat S|_{fn}}{\bar S}\right)^2
              + \lambda \left|\log(|S|_{fn} + \epsilon) - \log(|\hat S|_{fn} + \epsilon)\right| \right]

    Without a power loss, the student's level collapses or explodes. The squared difference of *magnitudes*
    controls loud harmonics (losses on powers or on logarithms alone gave audible noise); the small
    logarithmic term preserves quiet bands and pauses. :math:`\bar S` is the RMS magnitude of the corpus at
    that resolution, so the loss has no unit and does not weight quiet segments more than loud ones.
    :math:`\epsilon` is :math:`10^{-3}` of it. The weights :math:`w_f` of bins below ``low_band_hz`` are
    ``low_band_weight`` times those of the others; their mean is 1.

    Args:
        resolutions_ms: pairs ``(window, hop)`` in milliseconds, because hearing does not depend on the
            sample rate. The transform size is the next power of two above the window.
        sample_rate: of the waveforms, Hz.
        low_band_hz, low_band_weight: of :math:`w_f`; a weight of 1 for no weighting.
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
        self.spectra = CorpusSpectra(resolutions_ms=resolutions_ms, sample_rate=sample_rate)
        self.sample_rate, self.low_band_hz = sample_rate, low_band_hz
        self.low_band_weight, self.log_weight = low_band_weight, log_weight

    def fit_to_data(self, recordings: Sequence[Tensor | np.ndarray]) -> None:
        """Computes :math:`\\bar S` of these recordings, ``(samples,)`` each."""
        self.spectra.fit_to_data(recordings)

    def forward(self, step: DistillationStep) -> Term:
        """The distance of the scored part of the step's sample from that of its recording."""
        sample, recording = (scored_part(waveform, step.mask) for waveform in (step.sample, step.recording))
        return Term(self.distance(sample, recording))

    def distance(self, sample: Tensor, recording: Tensor) -> Tensor:
        """Both ``(batch, time)``; a scalar without unit, zero only for equal magnitudes.

        Raises:
            UserError: if ``fit_to_data`` has not been called.
        """
        distances = [self._distance_at(*spectra) for spectra in self.spectra(sample, recording)]
        return torch.stack(distances).mean()

    def _distance_at(self, unit: Tensor, estimate: Tensor, reference: Tensor) -> Tensor:
        frequency_hz = torch.linspace(0, self.sample_rate / 2, reference.shape[-2], device=reference.device)
        weight = torch.where(frequency_hz < self.low_band_hz, self.low_band_weight, 1.0)
        weight = (weight / weight.mean()).unsqueeze(-1)
        linear = ((estimate - reference) / unit).square()
        floor = 1e-3 * unit
        logarithmic = ((estimate + floor).log() - (reference + floor).log()).abs()
        return (weight * (linear + self.log_weight * logarithmic)).mean()

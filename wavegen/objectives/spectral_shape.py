"""A distance of spectral shapes, frame by frame, which no gain changes."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wavegen.objectives.distillation import DistillationStep, Term
from wavegen.objectives.reduction import scored_part
from wavegen.objectives.short_time import CorpusSpectra

LOG_FLOOR = 3e-3
"""Added to a normalised magnitude before its logarithm: 50 dB below the RMS of its frame."""
SILENCE = 1e-4
"""The level, in units of the corpus, below which a frame counts as digital silence and is not normalised."""


class SpectralShape(nn.Module):
    r"""Distance of short-time magnitudes, each frame divided by its own level.

    .. math:: a_{fn} &= \frac{|S|_{fn}}{\sqrt{\operatorname{mean}_f |S|_{fn}^2}}, \\
              L &= \frac{1}{M} \sum_m \operatorname{mean}_{n}\, v_n \operatorname{mean}_f \left[
              (\hat a_{fn} - a_{fn})^2
              + \lambda \left|\log(\hat a_{fn} + \epsilon) - \log(a_{fn} + \epsilon)\right| \right], \\
              v_n &= \frac{P_n}{P_n + P_0}

    :math:`a` is of the recording, :math:`\hat a` of the sample, both at each of M resolutions. A gain that is
    constant within a window changes nothing, whether it is of the recording or of the sample, so the gradient
    never lowers the sample's level, as a distance of magnitudes does (see
    :class:`~wavegen.objectives.frame_level.FrameLevel`). The level itself must come from another term, such
    as a divergence. A change of sign or of phase changes nothing either.

    :math:`v_n` weights pauses down, whose shape is that of the room: :math:`P_n` is the power of the
    recording's frame, and at :math:`P_0`, given in dB relative to the corpus, the weight is a half.
    :math:`\epsilon` is 50 dB below the level of the frame.

    Between two independent noises of one shape the distance is not zero but about a half, since magnitudes of
    Gaussian noise are spread by half of their mean.

    Args:
        resolutions_ms: pairs ``(window, hop)`` in milliseconds. The transform size is the next power of two
            above the window.
        sample_rate: of the waveforms, Hz.
        log_weight: :math:`\lambda`; the logarithm hears quiet bands, such as those above 4 kHz in vowels.
        half_weight_db: :math:`P_0`, relative to the mean power of the corpus.

    Raises:
        UserError: if a window or hop is shorter than a sample.
    """

    def __init__(
        self,
        *,
        resolutions_ms: Sequence[tuple[float, float]],
        sample_rate: int,
        log_weight: float = 0.2,
        half_weight_db: float = -30.0,
    ) -> None:
        super().__init__()
        self.spectra = CorpusSpectra(resolutions_ms=resolutions_ms, sample_rate=sample_rate)
        self.log_weight, self.half_weight_db = log_weight, half_weight_db

    def fit_to_data(self, recordings: Sequence[Tensor | np.ndarray]) -> None:
        """Computes the level of these recordings, ``(samples,)`` each; it only decides what a pause is."""
        self.spectra.fit_to_data(recordings)

    def forward(self, step: DistillationStep) -> Term:
        """The distance of the scored part of the step's sample from that of its recording."""
        return Term(
            self.distance(scored_part(step.sample, step.mask), scored_part(step.recording, step.mask))
        )

    def distance(self, sample: Tensor, recording: Tensor) -> Tensor:
        """Both ``(batch, time)``; a scalar without unit, zero only for equal shapes.

        Raises:
            UserError: if ``fit_to_data`` has not been called.
        """
        distances = [self._distance_at(*spectra) for spectra in self.spectra(sample, recording)]
        return torch.stack(distances).mean()

    def _distance_at(self, unit: Tensor, estimate: Tensor, reference: Tensor) -> Tensor:
        power = reference.square().mean(-2)
        half_power = unit.square() * 10 ** (self.half_weight_db / 10)
        estimate, reference = (self._shape(magnitude, unit) for magnitude in (estimate, reference))
        squared = (estimate - reference).square()
        logarithmic = ((estimate + LOG_FLOOR).log() - (reference + LOG_FLOOR).log()).abs()
        per_frame = (squared + self.log_weight * logarithmic).mean(-2)
        return (power / (power + half_power) * per_frame).mean()

    def _shape(self, magnitude: Tensor, unit: Tensor) -> Tensor:
        """Magnitudes ``(…, bins, frames)`` with a mean square of 1 in each frame."""
        power = magnitude.square().mean(-2, keepdim=True)
        return magnitude / (power + (SILENCE * unit).square()).sqrt()

"""A distance of levels in bands, whose smallest expectation is at the power mean."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wavegen.audio.spectra import mel_filterbank
from wavegen.objectives.distillation import DistillationStep, Term
from wavegen.objectives.reduction import scored_part
from wavegen.objectives.short_time import CorpusSpectra

STEEPEST_DB = 15.0
"""Where the sample is further below the recording than this, the distance grows linearly in decibels."""


class FrameLevel(nn.Module):
    r"""Itakura–Saito distance of powers in mel bands over windows of some periods.

    .. math:: L = \operatorname{mean}_{b,n}\, h\left(\log\frac{P_{bn} + \epsilon}{\hat P_{bn} + \epsilon}
              \right), \qquad h(d) = e^d - d - 1

    :math:`P_{bn}` is the recording's power in band b and window n, :math:`\hat P_{bn}` the sample's. The
    distance has no unit: a decibel costs the same in a loud and in a quiet band. :math:`\epsilon` is the
    power of the corpus times ``floor_db``. Above 15 dB, h is continued by its tangent, since a sample that is
    almost silent would have an infinite gradient.

    **Why this form makes no voice quiet.** Several recordings fit one conditioning, and the loss decides
    which average of them a model learns. Suppose that the sample's level is a constant
    :math:`g^2` times the mean, because the features do not determine the recording's.

    * A distance of magnitudes of single bins has two biases. Magnitudes of independent noises are Rayleigh
      distributed and independent, so :math:`E(g\hat A - A)^2` is smallest at
      :math:`g = (E A)^2 / E A^2 = \pi/4`: 2.1 dB too quiet. An absolute difference of logarithms has no bias
      between equal distributions, but where loudness varies it is smallest at the conditional *median*.
      Loudness in decibels with a standard deviation of :math:`\sigma` has a power mean that is
      :math:`\sigma^2 \log(10)/20` above its median: 3.5 dB at 5.5 dB.
    * A squared difference of log powers over long windows removes the first bias, not the second.
    * h removes both. As a function of :math:`\hat P` it is the Bregman divergence of −log, so its expectation
      is smallest where :math:`\hat P` is the *mean power* of the recordings, if the sample's level is steady.

    **Where it is too loud.** The sample's own scatter, independent of the recording's, makes the expectation
    smallest at :math:`g^2 = E P \cdot E \hat P^{-1}`. With K independent values in a power, that is a factor
    of K/(K − 1), a few per cent in the narrowest band of a window of 100 ms. But a student whose formants are
    still misplaced has errors of several decibels in a band, and answers that much too loud. Longer windows
    reduce it.

    Args:
        sample_rate: of the waveforms, Hz.
        num_bands: number of mel bands between 0 Hz and the Nyquist frequency.
        window_ms, hop_ms: of the short-time power.
        floor_db: :math:`\epsilon`, relative to the mean power of the corpus in a bin.

    Raises:
        UserError: if window or hop is shorter than a sample.

    Itakura and Saito 1968; as a divergence of spectra: Févotte et al. 2009.
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        num_bands: int = 8,
        window_ms: float = 100.0,
        hop_ms: float = 50.0,
        floor_db: float = -50.0,
    ) -> None:
        super().__init__()
        self.spectra = CorpusSpectra(resolutions_ms=[(window_ms, hop_ms)], sample_rate=sample_rate)
        self.sample_rate, self.num_bands, self.floor_db = sample_rate, num_bands, floor_db

    def fit_to_data(self, recordings: Sequence[Tensor | np.ndarray]) -> None:
        """Computes the mean power of these recordings, ``(samples,)`` each; the floor is relative to it."""
        self.spectra.fit_to_data(recordings)

    def forward(self, step: DistillationStep) -> Term:
        """The log contains ``excess_level_db``: the mean difference of log powers, sample over recording."""
        log_ratio = self.log_ratio(
            scored_part(step.sample, step.mask), scored_part(step.recording, step.mask)
        )
        excess_db = -10 / math.log(10) * log_ratio.detach().mean()
        return Term(itakura_saito(log_ratio).mean(), {"excess_level_db": excess_db})

    def distance(self, sample: Tensor, recording: Tensor) -> Tensor:
        """Both ``(batch, time)``; a scalar without unit, zero only for equal powers.

        Raises:
            UserError: if ``fit_to_data`` has not been called.
        """
        return itakura_saito(self.log_ratio(sample, recording)).mean()

    def log_ratio(self, sample: Tensor, recording: Tensor) -> Tensor:
        """log of the recording's power over the sample's, ``(batch, bands, windows)``, natural logarithm."""
        [(unit, estimate, reference)] = self.spectra(sample, recording)
        fft_size = 2 * (estimate.shape[-2] - 1)
        filters = mel_filterbank(self.sample_rate, fft_size=fft_size, num_mels=self.num_bands).to(estimate)
        filters = filters / filters.sum(-1, keepdim=True)  # means over the bins of a band
        floor = unit.square() * 10 ** (self.floor_db / 10)
        with torch.autocast(estimate.device.type, enabled=False):  # bfloat16 has two digits
            powers = [filters @ magnitude.square() + floor for magnitude in (reference, estimate)]
        return (powers[0] / powers[1]).log()


def itakura_saito(log_ratio: Tensor) -> Tensor:
    r""":math:`e^d - d - 1` of log ratios d, and its tangent at 15 dB above that."""
    bound = STEEPEST_DB * math.log(10) / 10
    near = log_ratio.clamp(max=bound)
    return near.exp() - near - 1 + (math.exp(bound) - 1) * (log_ratio - near)

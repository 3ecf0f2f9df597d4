"""The power loss of Parallel WaveNet: the distance of average power spectra."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wavegen.audio.spectra import stft_magnitude
from wavegen.errors import UserError
from wavegen.objectives.distillation import DistillationStep, Term
from wavegen.objectives.reduction import scored_part
from wavegen.objectives.short_time import SMALLEST_UNIT, stft_size


class PaperPowerLoss(nn.Module):
    r"""Squared distance of powers averaged over time (Parallel WaveNet, arXiv 1711.10433, section 4.1).

    .. math:: L = \frac{\|\phi(\hat x) - \phi(x)\|^2}{\|\Phi\|^2}, \qquad
              \phi_f(x) = \operatorname{mean}_n |\operatorname{STFT}(x)_{fn}|^2

    The mean is over the frames of the batch's scored part, the distance is the mean over its segments.
    :math:`\Phi` is :math:`\phi` of the corpus, so the loss has no unit, and silence in place of a segment of
    average loudness costs 1. Without it the weight would have to follow the fourth power of the level.

    Since powers are averaged before they are compared, the expectation is smallest at the recordings' mean
    power; between independent noises the best power is E[φ]² / E[φ²], a factor K/(K + 1) with K independent
    frames. Loud bands have nearly all the weight, and the order of frames does not matter.

    Args:
        sample_rate: of the waveforms, Hz.
        window_ms, hop_ms: of the short-time spectrum. The transform size is the next power of two above the
            window.

    Raises:
        UserError: if window or hop is shorter than a sample.
    """

    def __init__(self, *, sample_rate: int, window_ms: float = 40.0, hop_ms: float = 10.0) -> None:
        super().__init__()
        self.size = stft_size(window_ms, hop_ms, sample_rate)
        # A property of the corpus, not of the model: computed at every start and not stored in checkpoints.
        self.register_buffer("unit", torch.zeros(()), persistent=False)

    def fit_to_data(self, recordings: Sequence[Tensor | np.ndarray]) -> None:
        """Computes :math:`\\|\\Phi\\|^2` of these recordings, ``(samples,)`` each."""
        spectra = [self.average_power(torch.as_tensor(recording)).double() for recording in recordings]
        total = sum(len(recording) * power for recording, power in zip(recordings, spectra, strict=True))
        mean = torch.as_tensor(total) / sum(map(len, recordings))
        self.unit.fill_(max(float(mean.square().sum()), SMALLEST_UNIT**4))

    def average_power(self, waveform: Tensor) -> Tensor:
        """φ of ``(…, time)``: ``(…, bins)``."""
        return stft_magnitude(waveform, **self.size).square().mean(-1)

    def forward(self, step: DistillationStep) -> Term:
        """The distance of the scored part of the step's sample from that of its recording."""
        sample, recording = (scored_part(waveform, step.mask) for waveform in (step.sample, step.recording))
        return Term(self.distance(sample, recording))

    def distance(self, sample: Tensor, recording: Tensor) -> Tensor:
        """Both ``(batch, time)``; a scalar without unit, zero for equal average powers.

        Raises:
            UserError: if ``fit_to_data`` has not been called.
        """
        if not self.unit:
            raise UserError(
                "the paper's power loss has no reference level, expected a call of fit_to_data(recordings)"
            )
        difference = self.average_power(sample) - self.average_power(recording)
        return (difference.square().sum(-1) / self.unit).mean()

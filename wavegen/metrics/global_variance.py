"""Global variance: how much the spectrum's shape moves over an utterance, beside the recording's."""

import math

from torch import Tensor

from wavegen.metrics.frames import speech_frames
from wavegen.metrics.spectral import paired_mel_cepstra

LOWEST_RATIO = 1e-6
"""A spectrum that does not move at all would be at −∞ dB; it counts as −60 dB."""


def global_variance_db(
    reference: Tensor, waveform: Tensor, sample_rate: int, *, order: int = 24, floor_db: float = 80.0
) -> float:
    """Mean over m = 1 … order of 10 log₁₀ (v̂_m / v_m), v_m the variance over time of the mel-cepstrum c_m.

    Both variances are over the 5 ms speech frames of the *reference*; waveforms ``(time,)``. 0 means as
    lively as the recording. Averaged speech, which regression gives, has negative values. Without c₀, level
    does not count. Toda and Tokuda, "A speech parameter generation algorithm considering global variance for
    HMM-based speech synthesis" (2007), define the variance of one utterance.

    Args:
        reference: the recording.
        waveform: the synthesised speech.
        sample_rate: of both.
        order: highest coefficient.
        floor_db: mel magnitudes are limited to at least this far below the reference's loudest.

    Returns:
        decibels, signed; NaN if the recording has fewer than two speech frames, or none that differ.

    Raises:
        UserError: if the lengths differ.
    """
    of_reference, of_waveform = paired_mel_cepstra(
        reference, waveform, sample_rate, order=order, floor_db=floor_db
    )
    keep = speech_frames(reference.double(), sample_rate)
    if int(keep.sum()) < 2:
        return math.nan
    variance, estimate = (c[1:, keep].var(-1, correction=0) for c in (of_reference, of_waveform))
    moving = variance > 0
    if not moving.any():
        return math.nan
    ratio = (estimate[moving] / variance[moving]).clamp_min(LOWEST_RATIO)
    return 10 * ratio.log10().mean().item()

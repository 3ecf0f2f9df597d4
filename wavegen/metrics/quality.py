"""PESQ: predicted quality of speech beside its recording, from a model of hearing."""

import math

from torch import Tensor

from wavegen.audio.resampling import resample
from wavegen.errors import UserError

NARROW_BAND, WIDE_BAND = 8000, 16000


def pesq_mos(reference: Tensor, waveform: Tensor, sample_rate: int) -> float:
    """Perceptual evaluation of speech quality, a mean opinion score from 1 (bad) to 4.6 (the recording).

    Wide-band at 16 kHz (ITU-T P.862.2), narrow-band for speech at 8 kHz (P.862.1); the two scales differ.
    Speech at other rates is resampled to 16 kHz. Computed by the package ``pesq``.

    Args:
        reference: the recording, ``(samples,)``.
        waveform: the synthesised speech, ``(samples,)``.
        sample_rate: of both, in Hz.

    Returns:
        The score, or NaN if no speech is found, or less than a quarter of a second is given.

    Raises:
        UserError: if the lengths differ.
    """
    if reference.shape != waveform.shape:
        raise UserError(
            f"pesq_mos: expected two signals of one length, got {tuple(reference.shape)} and "
            f"{tuple(waveform.shape)}"
        )
    from pesq import PesqError, pesq

    rate = NARROW_BAND if sample_rate == NARROW_BAND else WIDE_BAND
    signals = [resample(x.float(), sample_rate, rate).numpy() for x in (reference, waveform)]
    mode = "nb" if rate == NARROW_BAND else "wb"
    score = pesq(rate, *signals, mode, on_error=PesqError.RETURN_VALUES) if signals[1].any() else -1
    return float(score) if score > 0 else math.nan

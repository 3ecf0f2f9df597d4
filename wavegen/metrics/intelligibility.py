"""Extended STOI: how much of a recording's short-time structure its synthesised version has."""

import math
import warnings

import numpy as np
from pystoi import stoi
from torch import Tensor

from wavegen.errors import UserError

SEGMENT_S = 0.384


def extended_stoi(reference: Tensor, waveform: Tensor, sample_rate: int) -> float:
    """Extended short-time objective intelligibility, about 0 (noise) to 1 (the recording itself).

    Correlation of the two signals' band envelopes within segments of 384 ms, after both are normalised over
    time and over bands (Jensen and Taal 2016). Frames more than 40 dB below the recording's loudest are left
    out. Level and phase do not count. Computed by ``pystoi``.

    Args:
        reference: the recording, ``(samples,)``.
        waveform: the synthesised speech, ``(samples,)``.
        sample_rate: of both; the bands end at 4.3 kHz, so at 8 kHz the highest is partly empty.

    Returns:
        The value, or NaN if less than one segment of the recording is loud enough.

    Raises:
        UserError: if the lengths differ.
    """
    if reference.shape != waveform.shape:
        raise UserError(
            f"extended_stoi: expected two signals of one length, got {tuple(reference.shape)} and "
            f"{tuple(waveform.shape)}"
        )
    if len(reference) < SEGMENT_S * sample_rate or not reference.any():
        return math.nan
    signals = [signal.double().numpy() for signal in (reference, waveform)]
    state = np.random.get_state()
    np.random.seed(0)  # pystoi adds noise of 1e-16, which is all that digitally silent bands have
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(stoi(*signals, sample_rate, extended=True))
        except RuntimeWarning:  # pystoi's way of saying that there are too few frames
            return math.nan
        finally:
            np.random.set_state(state)

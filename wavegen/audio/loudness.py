"""Loudness contour: the level of a recording at the centres of 5 ms frames."""

import numpy as np

from wavegen.audio.pitch import frame_centres_s

WINDOW_S = 0.02
FLOOR_DB = -80.0
"""The level that is added to every frame's power, so that digital silence has a finite one."""


def loudness_db(waveform: np.ndarray, sample_rate: int, num_frames: int) -> np.ndarray:
    r"""Level in dB relative to full scale, at frame centres: ``(samples,) -> (num_frames,)`` float64.

    .. math:: L_n = 10 \log_{10} \Bigl( \sum_t w(t - t_n)\, x_t^2 + 10^{F / 10} \Bigr), \qquad \sum_t w = 1

    with a Hann window w of 20 ms around the frame's centre :math:`t_n` and F = ``FLOOR_DB``. Samples outside
    the recording count as zero.
    """
    half = round(WINDOW_S * sample_rate / 2)
    window = np.hanning(2 * half + 1)
    power = np.pad(np.square(np.asarray(waveform, np.float64)), half)
    smooth = np.convolve(power, window / window.sum(), mode="valid")
    centres = (frame_centres_s(num_frames) * sample_rate).astype(int).clip(max=max(len(smooth) - 1, 0))
    return 10 * np.log10(smooth[centres] + 10 ** (FLOOR_DB / 10))

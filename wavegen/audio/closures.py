"""Glottal closures: pitch marks moved to the peaks of the prediction residual."""

from collections.abc import Iterable

import librosa
import numpy as np
from numba import njit
from scipy.ndimage import convolve1d, uniform_filter1d
from scipy.signal import lfilter, resample_poly

PRE_EMPHASIS = 0.97
WINDOW_S = 0.025
HOP_S = 0.005
DITHER = 1e-5
"""RMS of noise added before prediction, below the 16-bit grid: digital silence has no predictor."""
LEVEL_WINDOW_S = 0.02
OVERSAMPLING = 4
PEAK_WIDTH_S = 2.8e-4
"""Base of the Hann window that smooths the residual: the scatter of its peaks over a few samples."""
LARGEST_SHIFT_PERIODS = 0.35
TYPICAL_CHANGE_PERIODS = 0.03
"""Change of the shift from one pulse to the next that costs ``CHANGE_COST``; it is the jitter of voices."""
CHANGE_COST = 3.0
LONGEST_GAP_PERIODS = 1.6


def aligned_closures(
    waveform: np.ndarray, sample_rate: int, pulses_s: np.ndarray, periods_s: np.ndarray
) -> np.ndarray:
    r"""Moves one pitch mark per period to the glottal closure of that period.

    Marks by cross-correlation follow the waveform from period to period. So they keep a distance to the
    closures that differs from one voiced stretch to the next, and drifts. A closure excites the vocal tract,
    hence it is a peak of the prediction residual e. Within each voiced stretch, dynamic programming chooses
    shifts :math:`\delta_i` of the marks :math:`t_i` which maximise

    .. math:: \sum_i \tilde e(t_i + \delta_i)
              - \sum_i c \left( \frac{\delta_i - \delta_{i-1}}{0.03\, T_i} \right)^2, \qquad
              |\delta_i| \le 0.35\, \bar T

    :math:`\tilde e` is the residual with a moving RMS of 1 and with the sign that makes its peaks positive
    (that of its skewness near the marks), :math:`T_i` a period, :math:`\bar T` the mean over the stretch, and
    c = 3.

    Args:
        waveform: ``(samples,)``.
        sample_rate: Hz.
        pulses_s: ascending times of the marks, ``(pulses,)``.
        periods_s: the period at each mark, ``(pulses,)`` > 0.

    Returns:
        Ascending times, ``(pulses,)``, on a grid of a quarter of a sample.

    The search for closures among candidates by dynamic programming: DYPSA (Naylor et al. 2007).
    """
    if len(pulses_s) == 0:
        return pulses_s
    score = _closure_score(waveform, sample_rate, pulses_s, periods_s)
    rate = OVERSAMPLING * sample_rate
    gaps = np.diff(pulses_s) > LONGEST_GAP_PERIODS * periods_s[:-1]
    bounds = [0, *(np.flatnonzero(gaps) + 1), len(pulses_s)]
    # Sample i is at the time (i + ½) / sample_rate, as the centre of a frame is in its middle.
    aligned = np.round((pulses_s - 0.5 / sample_rate) * rate).astype(np.int64)
    for first, last in zip(bounds[:-1], bounds[1:], strict=True):
        periods = periods_s[first:last] * rate
        largest = int(LARGEST_SHIFT_PERIODS * periods.mean())
        aligned[first:last] += _best_shifts(score, aligned[first:last], periods, largest)
    # Marks closer than half a period, which only a faulty track has, may have changed places.
    return np.maximum.accumulate(np.clip(aligned, 0, len(score) - 1)) / rate + 0.5 / sample_rate


def prediction_residual(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """The residual ``(samples,)`` of linear prediction by Burg's method, with new taps every 5 ms."""
    hop, window = round(HOP_S * sample_rate), round(WINDOW_S * sample_rate)
    order = 2 + sample_rate // 1000
    noise = DITHER * np.random.default_rng(0).standard_normal(len(waveform))
    emphasised = lfilter([1, -PRE_EMPHASIS], [1], waveform.astype(np.float64) + noise)
    num_frames = -(-len(waveform) // hop)
    reach = max((window - hop) // 2, order)
    padded = np.pad(emphasised, (reach, reach + num_frames * hop - len(waveform)))
    frames = librosa.util.frame(padded, frame_length=2 * reach + hop, hop_length=hop, axis=0)
    taps = librosa.lpc(frames * np.hanning(frames.shape[1]), order=order, axis=1)
    past = np.lib.stride_tricks.sliding_window_view(frames, order + 1, axis=1)
    inner = past[:, reach - order : reach - order + hop, ::-1]
    return np.einsum("nhp,np->nh", inner, taps).reshape(-1)[: len(waveform)]


def normalised_residual(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """The residual ``(samples,)`` divided by its RMS over the 20 ms around each sample."""
    residual = prediction_residual(waveform, sample_rate)
    power = uniform_filter1d(residual**2, round(LEVEL_WINDOW_S * sample_rate), mode="constant")
    return residual / np.sqrt(power + DITHER**2)


def polarity(waveforms: Iterable[np.ndarray], sample_rate: int) -> int:
    """The sign of the residual at glottal closures, 1 or −1: that of its skewness over all waveforms.

    It depends on the microphone and on what inverted its signal, and is the same for all recordings of one
    session. It is not audible.
    """
    cubes = sum(float((normalised_residual(waveform, sample_rate) ** 3).sum()) for waveform in waveforms)
    return -1 if cubes < 0 else 1


def _closure_score(
    waveform: np.ndarray, sample_rate: int, pulses_s: np.ndarray, periods_s: np.ndarray
) -> np.ndarray:
    """The residual with a moving RMS of 1, positive peaks, and four times the sample rate."""
    residual = normalised_residual(waveform, sample_rate)
    times_s = (np.arange(len(residual)) + 0.5) / sample_rate
    nearest = np.clip(np.searchsorted(pulses_s, times_s), 0, len(pulses_s) - 1)
    voiced = np.abs(times_s - pulses_s[nearest]) < periods_s[nearest]
    sign = -1.0 if (residual[voiced] ** 3).sum() < 0 else 1.0
    kernel = np.hanning(round(PEAK_WIDTH_S * OVERSAMPLING * sample_rate) | 1)
    fine = resample_poly(sign * residual, OVERSAMPLING, 1)
    return convolve1d(fine, kernel / kernel.sum(), mode="constant")


@njit(cache=True, nogil=True)
def _best_shifts(score, marks, periods, largest):
    """Integer shifts within ± ``largest`` by the Viterbi algorithm; all arguments in oversampled samples."""
    count, width = len(marks), 2 * largest + 1
    best = np.empty(width)
    previous = np.empty(width)
    chosen = np.empty((count, width), np.int64)
    for i in range(count):
        # A change beyond five times the typical one never pays.
        reach = int(5 * TYPICAL_CHANGE_PERIODS * periods[i]) + 1
        unit = CHANGE_COST / (TYPICAL_CHANGE_PERIODS * periods[i]) ** 2
        for state in range(width):
            top, source = 0.0, state
            if i > 0:
                top = previous[state]
                for other in range(max(0, state - reach), min(width, state + reach + 1)):
                    value = previous[other] - unit * (state - other) ** 2
                    if value > top:
                        top, source = value, other
            position = min(max(marks[i] + state - largest, 0), len(score) - 1)
            best[state] = top + score[position]
            chosen[i, state] = source
        previous[:] = best
    shifts = np.empty(count, np.int64)
    state = int(np.argmax(best))
    for i in range(count - 1, -1, -1):
        shifts[i] = state - largest
        state = chosen[i, state]
    return shifts

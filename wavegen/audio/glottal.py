"""Glottal phase: the fraction of the pitch period that has passed, at every frame.

A net that receives only F0 values must integrate them to predict the next glottal pulse. With the unwrapped
phase it only needs the position within the period. Cycles are counted continuously,

    c(t) = ∫₀ᵗ F0(τ) dτ,

and are whole numbers at glottal pulses, so they can be interpolated linearly between frames and wrapped by
sine and cosine.
"""

import numpy as np

from wavegen.audio.pitch import FRAME_S, frame_centres_s


def cycles_from_f0(f0_hz: np.ndarray) -> np.ndarray:
    """Cycles (num_frames,) float64 at frame centres: the integral of ``f0_hz`` (num_frames,) from t = 0.

    F0 is linear between frame centres (trapezoidal rule) and constant before the first one.
    """
    f0_hz = np.asarray(f0_hz, np.float64)
    if len(f0_hz) == 0:
        return np.zeros(0)
    steps = FRAME_S * np.concatenate([[f0_hz[0] / 2], (f0_hz[1:] + f0_hz[:-1]) / 2])
    return np.cumsum(steps)


def cycles_from_pulses(
    pulses_s: np.ndarray, f0_hz: np.ndarray, voiced: np.ndarray, num_frames: int
) -> np.ndarray:
    """Cycles (num_frames,) float64 at frame centres, exactly a whole number at every pulse.

    Between two pulses the count increases by the whole number of periods (at least one) nearest to the
    integral of ``f0_hz``. The increase is linear within a single voiced period, and elsewhere proportional
    to the integral of the interpolated F0, so the count is continuous and also increases in unvoiced parts.
    Before the first and after the last pulse the count follows the integral. It starts in [0, 1).

    Args:
        pulses_s: (pulses,) ascending; if empty, :func:`cycles_from_f0` is used.
        f0_hz, voiced: (num_frames,) at frame centres.
    """
    pulses_s = np.unique(np.asarray(pulses_s, np.float64))
    integral = cycles_from_f0(f0_hz)
    if len(pulses_s) == 0 or num_frames == 0:
        return integral
    centres_s = frame_centres_s(num_frames)
    at_pulses = _integral_at(pulses_s, centres_s, integral, f0_hz)

    gaps = np.diff(at_pulses)
    periods = np.maximum(1, np.round(gaps))
    counts = np.ceil(at_pulses[0]) + np.concatenate([[0.0], np.cumsum(periods)])

    interval = np.searchsorted(pulses_s, centres_s, side="right") - 1
    cycles = integral - at_pulses[0] + counts[0]
    after = interval >= len(pulses_s) - 1
    cycles[after] = counts[-1] + integral[after] - at_pulses[-1]
    between = (interval >= 0) & ~after
    i = interval[between]
    in_time = (centres_s[between] - pulses_s[i]) / (pulses_s[i + 1] - pulses_s[i])
    in_integral = (integral[between] - at_pulses[i]) / gaps[i]
    single = (periods[i] == 1) & (np.asarray(voiced)[between] > 0.5)
    cycles[between] = counts[i] + periods[i] * np.where(single, in_time, in_integral)
    return cycles


def _integral_at(
    times_s: np.ndarray, centres_s: np.ndarray, integral: np.ndarray, f0_hz: np.ndarray
) -> np.ndarray:
    """The integral of F0: linear between frame centres; outside the outermost centres F0 is constant."""
    inside = np.interp(times_s, centres_s, integral)
    before = np.minimum(times_s - centres_s[0], 0.0) * f0_hz[0]
    behind = np.maximum(times_s - centres_s[-1], 0.0) * f0_hz[-1]
    return inside + before + behind

"""The compiled loops of a source-filter voice: the sum of harmonics, and the two filters sample by sample."""

import math

import numpy as np
from numba import njit

from wavegen.compiled.compiled_sources import INNER, cached_on_disk


@njit(**INNER)
def _sum_harmonics(amplitudes, cycles, hop_samples, scratch, sums):
    """See ``sum_harmonics``."""
    cosine, before, twice, own, change = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    num_harmonics = amplitudes.shape[1]
    for frame in range(1, amplitudes.shape[0] - 1):
        middle = hop_samples // 2  # samples before it are linear to the previous frame, others to the next
        for half in range(2):
            first, last, other = (middle, hop_samples, frame + 1) if half else (0, middle, frame - 1)
            count = num_harmonics
            while count and amplitudes[frame, count - 1] == 0 and amplitudes[other, count - 1] == 0:
                count -= 1
            for i in range(first, last):
                share = abs((i + 0.5) / hop_samples - 0.5)
                phase = cycles[frame] + share * (cycles[other] - cycles[frame])
                cosine[i] = math.cos(2 * math.pi * (phase - math.floor(phase)))
                before[i], twice[i], own[i], change[i] = 1.0, 2 * cosine[i], 0.0, 0.0
            for k in range(count):
                here = np.float64(amplitudes[frame, k])
                step = np.float64(amplitudes[other, k]) - here
                for i in range(first, last):
                    own[i] += here * cosine[i]
                    change[i] += step * cosine[i]
                    following = twice[i] * cosine[i] - before[i]
                    before[i] = cosine[i]
                    cosine[i] = following
            for i in range(first, last):
                share = abs((i + 0.5) / hop_samples - 0.5)
                sums[(frame - 1) * hop_samples + i] = own[i] + share * change[i]


@cached_on_disk()
def sum_harmonics(amplitudes, cycles, hop_samples, scratch, sums):
    r"""Writes :math:`\sum_k A_{t,k} \cos 2\pi k \varphi_t` of all frames but the first and the last.

    Amplitudes and cycles are linear between frame centres. The cosines come from
    :math:`\cos k\theta = 2 \cos\theta \cos (k-1)\theta - \cos (k-2)\theta` in float64, where the error grows
    like k², to 1e-10 for hundreds of harmonics.

    Args:
        amplitudes: ``(frames + 2, harmonics)``, float32.
        cycles: ``(frames + 2,)``, float64.
        hop_samples: samples per frame.
        scratch: ``(5, hop_samples)``, float64.
        sums: ``(frames * hop_samples,)``, float32; the result.
    """
    _sum_harmonics(amplitudes, cycles, hop_samples, scratch, sums)


@njit(**{**INNER, "fastmath": {"contract", "nsz", "reassoc"}})
def _predicted(taps, frame, past, t):
    """The prediction of sample t from its past; ``past`` begins ``order`` samples before sample 0.

    The sum of a sample is vectorised, in an order that depends on the number of taps only.
    """
    total = 0.0
    for i in range(taps.shape[1]):
        total += np.float64(taps[frame, i]) * past[t + i]
    return total


@cached_on_disk()
def filter_noise(tables, row, hop_samples, first, noise, noise_past, past, waveform):
    """Continues an utterance: noise y → n = N y → x = A⁻¹(g (harmonics + n)).

    Args:
        tables: of the window.
        row: of the utterance in them.
        hop_samples: samples per frame.
        first: sample of the window with which ``noise`` begins.
        noise: float32.
        noise_past, past: the outputs n and x of the window so far, float64, after the last ``order`` before.
        waveform: receives x, float32.
    """
    taps, noise_taps = tables.taps[row], tables.noise_taps[row]
    order, noise_order = taps.shape[1], noise_taps.shape[1]
    for i in range(len(noise)):
        t = first + i
        frame = t // hop_samples
        coloured = np.float64(tables.noise_gain[row, t]) * noise[i]
        coloured += _predicted(noise_taps, frame, noise_past, t)
        noise_past[noise_order + t] = coloured
        excitation = np.float64(tables.gain[row, t]) * (tables.harmonics[row, t] + coloured)
        past[order + t] = excitation + _predicted(taps, frame, past, t)
        waveform[i] = past[order + t]

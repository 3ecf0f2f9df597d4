"""The data of a teacher's compiled loop: its state, and the inputs of a window."""

from typing import NamedTuple

import numpy as np


class Memory(NamedTuple):
    """State of a group of columns between samples; arrays are flat, and float32 unless stated otherwise.

    ``rings``: ring buffers of the layers' last inputs, ``ring_slots[l]`` of ``(columns, residual_width)``
    from ``ring_start[l]`` on; ``ring_next[l]`` is the next slot to write. ``sums``: per layer the partial
    sums of the gates of the samples ``begun[l] … begun[l] + length[l] − 1``, at most ``block[l]`` of
    ``(columns, 2 · gate_width)`` from ``sums_start[l]`` on. ``starts``: ``(columns, layers,
    2 · gate_width)``, bias plus constant conditioning. ``flowing``: per column residual stream and sum of
    skips. ``gates``, ``hidden``, ``parameters``: of the current sample. ``*_offsets``: the columns' offsets
    in each of them. ``places``: scratch, a row for every stage.
    """

    rings: np.ndarray
    ring_start: np.ndarray
    ring_slots: np.ndarray
    ring_next: np.ndarray
    sums: np.ndarray
    sums_start: np.ndarray
    block: np.ndarray
    begun: np.ndarray
    length: np.ndarray
    starts: np.ndarray
    flowing: np.ndarray
    flowing_offsets: np.ndarray
    gates: np.ndarray
    gates_offsets: np.ndarray
    hidden: np.ndarray
    hidden_offsets: np.ndarray
    parameters: np.ndarray
    places: np.ndarray


class WaveformMap(NamedTuple):
    r"""The map from the excitation that a net models to the waveform, in a window; float32.

    .. math:: x_t = p_t + g_t \Bigl(h_t + \sum_k b_k[n_t] \tilde r(t - T_t + k)\Bigr) + S_t \varepsilon_t,
              \quad p_t = \sum_i a_i[n_t] x_{t-i}, \quad r_t = (x_t - p_t) / g_t

    ``taps``: a, ``(columns, frames, order)``, that of the oldest sample first. ``long_term_taps``: b,
    ``(columns, frames, 2K + 1)``. The first frame begins at sample ``frames_start`` and has ``hop_samples``.
    ``shift``, ``log_scale``, ``scale``, ``gain``: ``(columns, samples)``, from sample ``start`` on.
    ``lag``: how many samples before t the first of the two samples is between which
    :math:`\tilde r(t - T_t)` lies, int64; 0 for no long-term prediction. ``fraction``: its distance to the
    first. All are empty if the net models the waveform itself.
    """

    taps: np.ndarray
    frames_start: int
    hop_samples: int
    start: int
    shift: np.ndarray
    log_scale: np.ndarray
    scale: np.ndarray
    gain: np.ndarray
    lag: np.ndarray
    fraction: np.ndarray
    long_term_taps: np.ndarray

    def of(self, columns: np.ndarray) -> "WaveformMap":
        """The map of some columns."""
        arrays = {
            name: array[columns] for name, array in self._asdict().items() if isinstance(array, np.ndarray)
        }
        return self._replace(**arrays)


_NONE, _NO_TAPS = np.zeros((0, 0), np.float32), np.zeros((0, 0, 0), np.float32)
IDENTITY = WaveformMap(
    _NO_TAPS, 0, 1, 0, _NONE, _NONE, _NONE, _NONE, np.zeros((0, 0), np.int64), _NONE, _NO_TAPS
)
"""The map of a net that models the waveform itself."""


class Feed(NamedTuple):
    """The inputs of a window, and the waveform that it writes.

    ``waveform``: ``(columns, history + samples)``, first the samples before the window. ``inputs``: of the
    net, the same shape: the excitation, or the same array as ``waveform``. ``residual``: r of the map, the
    same shape, or the same array as ``waveform``. ``map``: between excitation and waveform.
    ``given``: whether the net's inputs are given, so that only parameters are computed. ``recorded``:
    ``(columns, samples, parameter_width)``, receives the parameters of every sample; or empty.
    ``u_component``, ``noise``, ``temperature``: ``(samples, columns)``, the uniform that selects a
    component, the standard deviate of its value, and the factor on the spread.
    ``conditioning``: flat ``(columns, samples, conditioning_width)``. ``frames``: flat ``(columns,
    num_frames, layers, 2 · gate_width)``, projected, with one more frame on each side of the window.
    ``kernel``: flat ``(3, hop_samples)``; ``hop_samples`` is 0 without conditioning at frame rate.
    """

    start: int
    stop: int
    history: int
    waveform: np.ndarray
    inputs: np.ndarray
    residual: np.ndarray
    map: WaveformMap
    given: bool
    recorded: np.ndarray
    u_component: np.ndarray
    noise: np.ndarray
    temperature: np.ndarray
    conditioning: np.ndarray
    frames: np.ndarray
    num_frames: int
    kernel: np.ndarray
    hop_samples: int

"""What the compiled loop of a teacher works on: what it remembers, and what a window brings."""

from typing import NamedTuple

import numpy as np


class Memory(NamedTuple):
    """What a group of columns remembers between samples; arrays flat, float32 unless said otherwise.

    ``rings``: per layer its last inputs, ``ring_slots[l]`` of ``(columns, residual_width)`` from
    ``ring_start[l]`` on, the next to be written ``ring_next[l]``. ``sums``: per layer what is known of the
    gates of the samples ``begun[l] … begun[l] + length[l] − 1``, at most ``block[l]`` of ``(columns,
    2 · gate_width)`` from ``sums_start[l]`` on. ``starts``: ``(columns, layers, 2 · gate_width)``, bias and
    constant conditioning. ``flowing``: per column residual stream and sum of skips. ``gates``, ``hidden``,
    ``parameters``: of the sample in work. ``*_offsets``: the columns' places in each of them. ``places``:
    scratch, a row for every stage.
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


class Feed(NamedTuple):
    """What a window brings, and the waveform it fills.

    ``waveform``: ``(columns, history + samples)``, the samples before the window first. ``given``: whether
    the window's samples are there already (and only parameters are wanted). ``recorded``: ``(columns,
    samples, parameter_width)``, or empty: where to leave the parameters of every sample. ``u_component``,
    ``noise``: ``(samples, columns)``, the uniform that picks a component and the standard deviate of its
    value. ``conditioning``: flat ``(columns, samples, conditioning_width)``. ``frames``: flat ``(columns,
    num_frames, layers, 2 · gate_width)``, projected, one frame beyond the window on either side; ``kernel``:
    flat ``(3, hop_samples)``; ``hop_samples`` is 0 where nothing is at frame rate.
    """

    start: int
    stop: int
    history: int
    waveform: np.ndarray
    given: bool
    recorded: np.ndarray
    u_component: np.ndarray
    noise: np.ndarray
    temperature: float
    conditioning: np.ndarray
    frames: np.ndarray
    num_frames: int
    kernel: np.ndarray
    hop_samples: int

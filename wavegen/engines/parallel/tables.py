"""The data of a student's compiled loops: records of sizes and offsets, weights, state and scratch."""

from typing import NamedTuple

import numpy as np

from wavegen.engines.vector.tiles import SHAPES

ROWS, COLUMNS = SHAPES.pair
"""Vectors of outputs and time steps of one tile."""


def _record(*names: str) -> np.dtype:
    return np.dtype([(name, np.int64) for name in names], align=True)


FLOW = _record(
    "first_layer",
    "end_layer",
    "width",  # of the residual stream, whole panels
    "skips",  # of the sum of skips, whole panels; 0 without skips
    "groups",  # vectors of the stream that the next layer reads
    "row",  # elements of a row of a layer's inputs
    "taps",
    "tap_rows",  # rows of weights of one tap
    "gate_panels",
    "hidden_row",  # elements of a row of gated activations
    "hidden_rows",  # rows of weights that multiply it
    "side",  # offset of the conditioning at sample rate
    "side_row",  # elements of a row of it
    "side_rows",  # rows of weights that multiply it
    "frames",  # offset of the projected conditioning at frame rate
    "frame_row",  # elements of a row of it
    "hop",  # samples per frame; 0 without conditioning at frame rate
    "kernel",  # offset of its upsampling kernel, (3, hop)
    "lift",  # offset of the input layer's weights, followed by its biases
    "read",  # offset of the output net's first layer
    "read_row",  # elements of a row of its input
    "read_rows",  # rows of its weights
    "read_panels",
    "read_bias",
    "last",  # offset of the output net's second layer, followed by its biases
)
"""Record of a flow: sizes, and offsets in the arrays."""

LAYER = _record("inputs", "past", "dilation", "gates", "start", "frame", "output", "output_bias")
"""Record of a layer: sizes, and offsets in the arrays."""


class StudentNet(NamedTuple):
    """A student's weights.

    ``flows``, ``layers``: arrays of ``FLOW`` and ``LAYER`` records. ``weights``: of the products, float32 or
    words of two bfloat16. ``fine``: biases and all other numbers that are always float32.
    """

    flows: np.ndarray
    layers: np.ndarray
    weights: np.ndarray
    fine: np.ndarray


class Speech(NamedTuple):
    """One utterance's state, and its conditioning in a window.

    ``lines``: ``(flows + 1, 1 + samples)``, row i is the input of flow i, the last row the waveform; column 0
    is the sample before. ``inputs``: past and current inputs of all layers. ``starts``: biases plus constant
    conditioning of every layer's gates. ``frames``: the window's projected conditioning at frame rate.
    ``side``: its conditioning at sample rate, as inputs of products.
    """

    lines: np.ndarray
    inputs: np.ndarray
    starts: np.ndarray
    frames: np.ndarray
    side: np.ndarray


class Scratch(NamedTuple):
    """Scratch of one thread: ``stream [column][residual | skips]``, ``hidden`` (product inputs), ``sums``."""

    stream: np.ndarray
    hidden: np.ndarray
    sums: np.ndarray
    offsets: np.ndarray

"""What a student's compiled loops work on: records of where everything lies, weights, state and scratch."""

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
    "hidden_row",  # elements of a row of what the gates let through
    "hidden_rows",  # rows of weights that meet it
    "side",  # place of the conditioning at sample rate
    "side_row",  # elements of a row of it
    "side_rows",  # rows of weights that meet it
    "frames",  # place of the projected conditioning at frame rate
    "frame_row",  # elements of a row of it
    "hop",  # samples a frame; 0 without conditioning at frame rate
    "kernel",  # place of what upsamples it, (3, hop)
    "lift",  # place of the input's weights, and the biases behind them
    "read",  # place of the output net's first layer
    "read_row",  # elements of a row of what it reads
    "read_rows",  # rows of its weights
    "read_panels",
    "read_bias",
    "last",  # place of its second layer, and the biases behind it
)
"""A flow: sizes, and places where something begins in its array."""

LAYER = _record("inputs", "past", "dilation", "gates", "start", "frame", "output", "output_bias")
"""A layer of a flow, likewise."""


class StudentNet(NamedTuple):
    """A student's weights.

    ``flows``, ``layers``: arrays of ``FLOW`` and ``LAYER`` records. ``weights``: of the products, float32 or
    words of two bfloat16. ``fine``: float32, biases and whatever no product in bfloat16 takes.
    """

    flows: np.ndarray
    layers: np.ndarray
    weights: np.ndarray
    fine: np.ndarray


class Speech(NamedTuple):
    """One utterance's state, and its conditioning within a window.

    ``lines``: ``(flows + 1, 1 + samples)``, in row i what flow i reads, the last what is spoken; in
    column 0 the sample before. ``inputs``: of all layers, their past and the present. ``starts``: of every
    layer's gates, biases and constant conditioning. ``frames``: the window's conditioning at frame rate,
    projected. ``side``: its conditioning at sample rate, as inputs of products.
    """

    lines: np.ndarray
    inputs: np.ndarray
    starts: np.ndarray
    frames: np.ndarray
    side: np.ndarray


class Scratch(NamedTuple):
    """One thread's own: ``stream [column][residual | skips]``, ``hidden`` as inputs of products, ``sums``."""

    stream: np.ndarray
    hidden: np.ndarray
    sums: np.ndarray
    offsets: np.ndarray

"""What a student's compiled loops work on: tables of where everything lies, weights, state and scratch."""

from typing import NamedTuple

import numpy as np

from wavegen.engines.vector.tiles import SHAPES

ROWS, COLUMNS = SHAPES.pair
"""Vectors of outputs and time steps of one tile."""

# Columns of the table of flows. A place is where something begins in its array.
FLOW_FIELDS = 25
(
    FIRST_LAYER,
    END_LAYER,
    WIDTH,  # of the residual stream, whole panels
    SKIPS,  # of the sum of skips, whole panels; 0 without skips
    GROUPS,  # vectors of the stream that the next layer reads
    ROW,  # elements of a row of a layer's inputs
    TAPS,
    TAP_ROWS,  # rows of weights of one tap
    GATE_PANELS,
    HIDDEN_ROW,  # elements of a row of what the gates let through
    HIDDEN_ROWS,  # rows of weights that meet it
    SIDE,  # place of the conditioning at sample rate
    SIDE_ROW,  # elements of a row of it
    SIDE_ROWS,  # rows of weights that meet it
    FRAMES,  # place of the projected conditioning at frame rate
    FRAME_ROW,  # elements of a row of it
    HOP,  # samples a frame; 0 without conditioning at frame rate
    KERNEL,  # place of what upsamples it, (3, hop)
    LIFT,  # place of the input's weights, and the biases behind them
    READ,  # place of the output net's first layer
    READ_ROW,  # elements of a row of what it reads
    READ_ROWS,  # rows of its weights
    READ_PANELS,
    READ_BIAS,
    LAST,  # place of its second layer, and the biases behind it
) = range(FLOW_FIELDS)

# Columns of the table of layers.
LAYER_FIELDS = 8
INPUTS, PAST, DILATION, GATES, START, FRAME, OUTPUT, OUTPUT_BIAS = range(LAYER_FIELDS)


class Net(NamedTuple):
    """A student's weights.

    ``flows``, ``layers``: tables, int64. ``weights``: of the products, float32 or words of two bfloat16.
    ``fine``: float32, biases and whatever no product in bfloat16 takes.
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

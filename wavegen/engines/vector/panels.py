"""Weights in panels of outputs for tiles; each panel is contiguous, input by input."""

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from wavegen.engines.vector.packed_matrix import PackedMatrix, aligned_zeros, padded
from wavegen.engines.vector.tile_inputs import paired_order
from wavegen.engines.vector.tiles import FLOAT32, SHAPES
from wavegen.engines.vector.vector_code import LANES

PANEL = 2 * LANES
"""Outputs of a panel for products with many columns: tiles of two vectors."""

TALL_PANEL = SHAPES.tall * LANES
"""Outputs of a panel for products with few columns: each longer row would need a page of memory."""


def whole_panels(channels: int) -> int:
    """Channels rounded up to whole panels."""
    return -(-channels // PANEL) * PANEL


def gate_order(half: int) -> np.ndarray:
    """The channel of each output in panels of gates: 16 of the signal, the 16 that gate them, and so on.

    Of the ``2 half`` channels the signal's come first; −1 means padding.
    """
    signal = np.full(padded(half), -1)
    signal[:half] = np.arange(half)
    gate = np.where(signal < 0, -1, signal + half)
    return np.stack([signal.reshape(-1, LANES), gate.reshape(-1, LANES)], 1).ravel()


def output_order(*channels: int, multiple: int = PANEL) -> np.ndarray:
    """The channel of each output for groups of channels, each padded to whole panels or another multiple."""
    orders, first = [np.zeros(0, int)], 0
    for count in channels:
        order = np.full(-(-count // multiple) * multiple, -1)
        order[:count] = np.arange(first, first + count)
        orders.append(order)
        first += count
    return np.concatenate(orders)


def take(weight: Tensor | None, order: np.ndarray) -> np.ndarray:
    """``weight[order]`` in float32, zero for −1; without a weight, a vector of zeros."""
    if weight is None:
        return np.zeros(len(order), np.float32)
    array = weight.detach().cpu().numpy()
    taken = array[order]
    taken[order < 0] = 0
    return taken


def weight_rows(inputs: int, precision: int) -> int:
    """Rows of weights for ``inputs`` inputs: in bfloat16, pairs of inputs share a row."""
    return inputs if precision == FLOAT32 else -(-inputs // 2)


def pack_panels(matrix: np.ndarray, precision: int) -> np.ndarray:
    """Pack ``(outputs, inputs)``, outputs a multiple of 32, as ``(panels, weight rows, 32)``."""
    if precision != FLOAT32:
        matrix = np.pad(matrix, ((0, 0), (0, matrix.shape[1] % 2)))
        matrix = matrix[:, paired_order(matrix.shape[1])]
    packed = PackedMatrix.of(matrix, precision)
    return packed.data.reshape(packed.rows, -1, PANEL).transpose(1, 0, 2)


def pack_tall_panels(matrix: np.ndarray, precision: int) -> PackedMatrix:
    """Pack ``(outputs, inputs)`` in panels of ``TALL_PANEL`` outputs; the last one may be narrower."""
    panels = [
        PackedMatrix.of(matrix[first : first + TALL_PANEL], precision)
        for first in range(0, len(matrix), TALL_PANEL)
    ]
    return PackedMatrix(np.concatenate([panel.data for panel in panels]), panels[0].rows, len(matrix))


def pack_taps(weight: np.ndarray, precision: int) -> np.ndarray:
    """Pack a dilated convolution's ``(outputs, inputs, taps)`` as ``(panels, taps · weight rows, 32)``."""
    outputs, inputs, taps = weight.shape
    by_tap = weight.reshape(-1, PANEL, inputs, taps).transpose(0, 3, 1, 2).reshape(-1, inputs)
    return pack_panels(by_tap, precision).reshape(outputs // PANEL, -1, PANEL)


@dataclass
class Arena:
    """Joins arrays into one; each begins on a cache line."""

    dtype: type
    parts: list[np.ndarray] = field(default_factory=list)
    size: int = 0

    def add(self, array: np.ndarray) -> int:
        """Add an array; returns its offset in elements."""
        place = self.size
        self.parts.append(array.ravel())
        self.size += padded(array.size)
        return place

    def whole(self) -> np.ndarray:
        """The joined array."""
        whole, place = aligned_zeros(self.size, self.dtype), 0
        for part in self.parts:
            whole[place : place + part.size] = part
            place += padded(part.size)
        return whole

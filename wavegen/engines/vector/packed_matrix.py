"""Matrices in the layout that tiles read, in float32 or bfloat16."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wavegen.engines.vector.tiles import BFLOAT16, FLOAT32
from wavegen.engines.vector.vector_code import LANES


@dataclass(frozen=True)
class PackedMatrix:
    """A matrix in the layout that tiles read: input by input, outputs padded with zeros to whole vectors.

    In bfloat16, inputs k and k + inputs / 2 share one word: the first in the low half, the second in the high
    half (an odd number of inputs is padded with a zero). Weights are rounded to the nearest. For
    ``BFLOAT16_WEIGHTS`` the whole word is used as the second weight, so the nearest *word* with that low half
    is chosen; the error is not greater.

    Attributes:
        data: flat, ``rows * width`` numbers or words, aligned to cache lines.
        rows: inputs, or pairs of them: the ``count`` of a tile.
        width: outputs, padded: the ``stride`` of a tile.
    """

    data: np.ndarray
    rows: int
    width: int

    @classmethod
    def of(cls, matrix: np.ndarray, precision: int) -> "PackedMatrix":
        """Pack a matrix ``(outputs, inputs)``."""
        outputs, inputs = matrix.shape
        width, pairs = padded(outputs), -(-inputs // 2)
        laid_out = np.zeros((inputs if precision == FLOAT32 else 2 * pairs, width), np.float32)
        laid_out[:inputs, :outputs] = matrix.T
        if precision != FLOAT32:
            laid_out = _pair(laid_out[:pairs], laid_out[pairs:], precision)
        data = aligned_zeros(laid_out.size, laid_out.dtype)
        data[:] = laid_out.ravel()
        return cls(data, len(laid_out), width)


def _pair(first: np.ndarray, second: np.ndarray, precision: int) -> np.ndarray:
    low = round_to_bfloat16(first) >> np.uint32(16)
    if precision == BFLOAT16:
        return (round_to_bfloat16(second) | low).view(np.int32)
    # The word with this low half that is nearest to the float: at most 2^15 units in the last place away.
    bits = second.view(np.uint32).astype(np.int64)
    high = (bits - low + 0x8000) >> 16
    return ((high.clip(0, 0xFFFF) << 16) | low).astype(np.uint32).view(np.int32)


def round_to_bfloat16(x: np.ndarray) -> np.ndarray:
    """The bits of the nearest bfloat16 (ties to even) as float32 bits with a zero low half, uint32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)


def padded(channels: int) -> int:
    """Channels rounded up to whole vectors."""
    return -(-channels // LANES) * LANES


def aligned_zeros(size: int, dtype: npt.DTypeLike = np.float32) -> np.ndarray:
    """A flat array of zeros that begins on a cache line."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.zeros(size * itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * itemsize].view(dtype)

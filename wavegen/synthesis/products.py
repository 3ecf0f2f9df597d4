"""Products of a packed matrix with any number of columns, out of tiles."""

from numba import njit

from wavegen.synthesis.compiled_sources import INNER
from wavegen.synthesis.tiles import TALL, WIDE, product_tile
from wavegen.synthesis.vector_code import LANES

LEAN = {**INNER, "_nrt": False}
"""Without Numba's runtime: nothing is allocated in the sequential engine, and it would count references to
every array of a named tuple at every call, with locked instructions on counters that all threads share: a
third of the time."""

OPTIONS = {**LEAN, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""For functions that only compiled code calls: a way in from Python takes longer to compile than they do."""

_ROWS, _COLUMNS = WIDE
_EIGHT = TALL >= 8
_wide, _pair, _low = product_tile(_ROWS, _COLUMNS), product_tile(2, _COLUMNS), product_tile(1, _COLUMNS)
_eight, _six, _four = product_tile(8, 1), product_tile(6, 1), product_tile(4, 1)
_two, _one = product_tile(2, 1), product_tile(1, 1)


PANEL = 8 * LANES
"""Outputs whose weights lie together, input by input: longer rows would be read a page at a time."""


@njit(**OPTIONS)
def add_product(weights, w, rows, width, inputs, x, offsets, o, columns, sums, s, sum_stride):
    """sums[c] += W x[c] for every column c; arguments as of a tile, ``width`` outputs, ``columns`` columns.

    The weights lie in panels of ``PANEL`` outputs, the last one narrower, one after the other.
    """
    for first in range(0, width, PANEL):
        panel = min(PANEL, width - first)
        _add_panel(
            weights,
            w + first * rows,
            rows,
            panel,
            inputs,
            x,
            offsets,
            o,
            columns,
            sums,
            s + first,
            sum_stride,
        )


@njit(**OPTIONS)
def _add_panel(weights, w, rows, width, inputs, x, offsets, o, columns, sums, s, sum_stride):
    """The product with one panel.

    Outputs outermost: weights that were loaded meet every column before they leave the cache. A column that
    is left over meets as many outputs at once as there are: independent sums hide the latency of each.
    """
    whole = columns - columns % _COLUMNS
    r = 0
    while r < width and whole:
        left = (width - r) // LANES
        for c in range(0, whole, _COLUMNS):
            at = s + c * sum_stride + r
            if left >= _ROWS:
                _wide(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at, sum_stride)
            elif left >= 2:
                _pair(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at, sum_stride)
            else:
                _low(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at, sum_stride)
        r += LANES * (_ROWS if left >= _ROWS else min(left, 2))
    for c in range(whole, columns):
        r = 0
        while r < width:
            left, at = (width - r) // LANES, s + c * sum_stride + r
            if left >= 8 and _EIGHT:
                _eight(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at, sum_stride)
                r += LANES * 8
            elif left >= 6 and _EIGHT:
                _six(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at, sum_stride)
                r += LANES * 6
            elif left >= 4:
                _four(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at, sum_stride)
                r += LANES * 4
            elif left >= 2:
                _two(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at, sum_stride)
                r += LANES * 2
            else:
                _one(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at, sum_stride)
                r += LANES

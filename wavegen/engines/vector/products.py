"""Products of a packed matrix with any number of columns, made of tiles."""

from collections.abc import Callable
from typing import Any

from numba import njit

from wavegen.compiled.compiled_sources import INNER
from wavegen.engines.vector.panels import TALL_PANEL
from wavegen.engines.vector.tiles import SHAPES, product_tile
from wavegen.engines.vector.vector_code import LANES

OPTIONS: dict[str, Any] = {**INNER, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""For functions that only compiled code calls: compiling a Python wrapper takes longer than the function."""


@njit(**OPTIONS)
def _nothing(weights, w, rows, width, inputs, x, offsets, o, begin, end, sums, s, sum_stride, r):
    """Ends the recursion of ``_product`` after the last output."""


def _product(columns: int, first_rows: int, *fewer_rows: int) -> Callable:
    """Make the product of a panel with a multiple of ``columns`` columns, from output ``r`` on.

    The outer loop is over outputs, with as many rows at once as remain: loaded weights are multiplied with
    every column before they leave the cache.
    """
    tile = product_tile(first_rows, columns)
    rest = _product(columns, *fewer_rows) if fewer_rows else _nothing

    @njit(**OPTIONS)
    def product(weights, w, rows, width, inputs, x, offsets, o, begin, end, sums, s, sum_stride, r):
        while r + LANES * first_rows <= width:
            for c in range(begin, end, columns):
                at = s + c * sum_stride + r
                tile(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at, sum_stride)
            r += LANES * first_rows
        rest(weights, w, rows, width, inputs, x, offsets, o, begin, end, sums, s, sum_stride, r)

    return product


def _rows_down_from(most: int, *rows: int) -> list[int]:
    return [most, *(r for r in rows if r < most)]


_WIDE, _NARROW, _LEAST = (columns for _, columns in (SHAPES.wide, *SHAPES.narrow))
_wide = _product(_WIDE, *_rows_down_from(SHAPES.wide[0], 2, 1))
_narrow, _least = (_product(columns, *_rows_down_from(rows, 1)) for rows, columns in SHAPES.narrow)
_single = _product(1, *_rows_down_from(SHAPES.tall, 6, 4, 2, 1))


@njit(**OPTIONS)
def add_product(weights, w, rows, width, inputs, x, offsets, o, columns, sums, s, sum_stride):
    """sums[c] += W x[c] for every column c; arguments as for a tile, ``width`` outputs, ``columns`` columns.

    The weights are packed by ``pack_tall_panels``. The columns that remain after wide tiles use narrower
    tiles
    with more outputs: independent sums hide the latency of a multiply–add.
    """
    wide = columns - columns % _WIDE
    narrow = wide + (columns - wide) // _NARROW * _NARROW
    least = narrow + (columns - narrow) // _LEAST * _LEAST
    for first in range(0, width, TALL_PANEL):
        p, n, at = w + first * rows, min(TALL_PANEL, width - first), s + first
        if wide > 0:
            _wide(weights, p, rows, n, inputs, x, offsets, o, 0, wide, sums, at, sum_stride, 0)
        if narrow > wide:
            _narrow(weights, p, rows, n, inputs, x, offsets, o, wide, narrow, sums, at, sum_stride, 0)
        if least > narrow:
            _least(weights, p, rows, n, inputs, x, offsets, o, narrow, least, sums, at, sum_stride, 0)
        if columns > least:
            _single(weights, p, rows, n, inputs, x, offsets, o, least, columns, sums, at, sum_stride, 0)

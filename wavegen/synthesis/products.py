"""Products of a packed matrix with any number of columns, out of tiles."""

from numba import njit

from wavegen.synthesis.tiles import LANES, TALL, WIDE, product_tile

OPTIONS = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz"},
    "_nrt": False,
}
"""How the engines are compiled. No reassociation: the same numbers in the same order everywhere. And without
Numba's runtime (``_nrt``): nothing is allocated here, and it would count references to every array of a named
tuple at every call, with locked instructions on counters that all threads share: a third of the time.
"""

_ROWS, _COLUMNS = WIDE
_wide, _low = product_tile(_ROWS, _COLUMNS), product_tile(1, _COLUMNS)
_tall, _half, _one = product_tile(TALL, 1), product_tile(TALL // 2, 1), product_tile(1, 1)


@njit(**OPTIONS)
def add_product(weights, w, rows, width, inputs, x, offsets, o, columns, sums, s, sum_stride):
    """sums[c] += W x[c] for every column c; arguments as of a tile, ``width`` outputs, ``columns`` columns.

    Outputs outermost: weights that were loaded meet every column before they leave the cache.
    """
    whole = columns - columns % _COLUMNS
    r = 0
    while r < width and whole:
        if width - r >= LANES * _ROWS:
            for c in range(0, whole, _COLUMNS):
                at = s + c * sum_stride + r
                _wide(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at, sum_stride)
            r += LANES * _ROWS
        else:
            for c in range(0, whole, _COLUMNS):
                at = s + c * sum_stride + r
                _low(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at, sum_stride)
            r += LANES
    for c in range(whole, columns):
        at = s + c * sum_stride
        r = 0
        while r < width:
            if width - r >= LANES * TALL:
                _tall(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at + r, sum_stride)
                r += LANES * TALL
            elif width - r >= LANES * (TALL // 2):
                _half(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at + r, sum_stride)
                r += LANES * (TALL // 2)
            else:
                _one(weights, w + r, width, inputs, x, offsets, o + c, rows, sums, at + r, sum_stride)
                r += LANES

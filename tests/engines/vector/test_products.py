import numpy as np
import pytest
from numba import njit

from wavegen.engines.vector.packed_matrix import padded
from wavegen.engines.vector.panels import TALL_PANEL, pack_tall_panels
from wavegen.engines.vector.products import add_product
from wavegen.engines.vector.tiles import BFLOAT16_WEIGHTS, FLOAT32
from wavegen.engines.vector.vector_code import LANES


@njit
def _add(weights, w, rows, width, inputs, x, offsets, o, columns, sums, s, sum_stride):
    add_product(weights, w, rows, width, inputs, x, offsets, o, columns, sums, s, sum_stride)


@pytest.mark.parametrize(("precision", "tolerance"), [(FLOAT32, 1e-6), (BFLOAT16_WEIGHTS, 2.0**-8)])
@pytest.mark.parametrize("width", [LANES, 5 * LANES, TALL_PANEL + 2 * LANES])
@pytest.mark.parametrize("columns", [1, 2, 3, 7, 25])
def test_the_product_is_added_for_any_number_of_columns(width, columns, precision, tolerance):
    rng = np.random.default_rng(columns)
    inputs, row, stride = 10, 13, width + 3
    matrix = rng.standard_normal((width, inputs)).astype(np.float32)
    packed = pack_tall_panels(matrix, precision)
    weights = np.concatenate([np.full(LANES, 9, packed.data.dtype), packed.data])
    x = rng.standard_normal((columns, row)).astype(np.float32)
    sums = rng.standard_normal((columns + 1, stride)).astype(np.float32)
    expected, size = sums.astype(np.float64), np.ones(sums.shape)
    # columns stand in reverse; inputs begin at the third number of a row, sums at the second
    seen = x[::-1, 2 : 2 + inputs].astype(np.float64)
    expected[:columns, 1 : 1 + width] += seen @ matrix.T.astype(np.float64)
    size[:columns, 1 : 1 + width] += np.abs(seen) @ np.abs(matrix.T)
    offsets = np.concatenate([[-1], np.arange(columns)[::-1] * row]).astype(np.intp)
    rows = packed.rows
    _add(weights, LANES, rows, width, x.ravel(), 2, offsets, 1, columns, sums.reshape(-1), 1, stride)
    assert (np.abs(sums - expected) <= 12 * tolerance * size).all()
    assert np.array_equal(sums[columns:], expected[columns:])
    assert np.array_equal(sums[:, 0], expected[:, 0])
    assert np.array_equal(sums[:, 1 + width :], expected[:, 1 + width :])


def test_a_column_has_the_same_bits_alone_and_in_company():
    rng = np.random.default_rng(0)
    width, inputs, columns = padded(40), 24, 21
    packed = pack_tall_panels(rng.standard_normal((width, inputs)).astype(np.float32), FLOAT32)
    x, offsets = rng.standard_normal(columns * inputs).astype(np.float32), np.arange(columns) * inputs
    together, alone = np.zeros(columns * width, np.float32), np.zeros(columns * width, np.float32)
    _add(packed.data, 0, packed.rows, width, x, 0, offsets, 0, columns, together, 0, width)
    for column in range(columns):
        at = column * width
        _add(packed.data, 0, packed.rows, width, x, 0, offsets, column, 1, alone, at, width)
    assert np.array_equal(together, alone) and together.any()

import numpy as np
import pytest
from numba import njit

from wavegen.engines.vector.packed_matrix import PackedMatrix
from wavegen.engines.vector.tile_inputs import paired_order, put
from wavegen.engines.vector.tiles import (
    BFLOAT16,
    BFLOAT16_WEIGHTS,
    FLOAT32,
    SHAPES,
    product_tile,
    tile_shapes,
)
from wavegen.engines.vector.vector_code import LANES

# What one factor may err by, relative: nothing beside the sums' own rounding, or half a place of 8 bits.
ERRORS = {FLOAT32: 0.0, BFLOAT16_WEIGHTS: 2.0**-8, BFLOAT16: 2.0**-7}


def compiled(rows, columns):
    tile = product_tile(rows, columns)

    @njit
    def multiply(weights, w, stride, inputs, x, offsets, o, count, sums, s, sum_stride):
        tile(weights, w, stride, inputs, x, offsets, o, count, sums, s, sum_stride)

    return multiply


TILES = {
    shape: compiled(*shape) for shape in {SHAPES.wide, SHAPES.pair, *SHAPES.narrow, (SHAPES.tall, 1), (1, 1)}
}


@njit
def _put_all(destination, elements, source):
    for group in range(source.size // LANES):
        put(destination, group * elements, source, group * LANES)


def as_inputs(x, precision):
    """``(columns, inputs)`` as a tile takes them, and the order of the inputs in its weights."""
    columns, inputs = x.shape
    order = np.arange(inputs)
    if precision != BFLOAT16:
        return x.ravel().copy(), order
    words = np.zeros((columns, -(-inputs // LANES) * LANES // 2), np.int32)
    padded = np.zeros((columns, 2 * words.shape[1]), np.float32)
    padded[:, :inputs] = x
    _put_all(words.reshape(-1), LANES // 2, padded.reshape(-1))
    return words.reshape(-1), paired_order(inputs)


@pytest.mark.parametrize("precision", [FLOAT32, BFLOAT16_WEIGHTS, BFLOAT16])
@pytest.mark.parametrize("shape", sorted(TILES))
def test_a_tile_adds_its_product(shape, precision):
    rows, columns = shape
    rng = np.random.default_rng(rows)
    for inputs in (2, 16, 50):
        matrix = rng.standard_normal((LANES * rows + LANES, inputs)).astype(np.float32)
        x = rng.standard_normal((columns, inputs)).astype(np.float32)
        numbers, order = as_inputs(x, precision)
        packed = PackedMatrix.of(matrix[:, order], precision)
        # The columns stand in reverse; a vector of outputs and three sums of every row are left alone.
        sums = rng.standard_normal((columns + 1, LANES * rows + 3)).astype(np.float32)
        expected, size = sums.astype(np.float64), np.ones(sums.shape)
        weights, x = matrix[LANES:].astype(np.float64), x[::-1].astype(np.float64)
        expected[:columns, 3:] += x @ weights.T
        size[:columns, 3:] += np.abs(x) @ np.abs(weights.T)
        row = numbers.size // columns
        offsets = np.concatenate([[-1], np.arange(columns)[::-1] * row]).astype(np.intp)
        flat, stride = sums.reshape(-1), sums.shape[1]
        TILES[shape](packed.data, LANES, packed.width, numbers, 0, offsets, 1, packed.rows, flat, 3, stride)
        assert (np.abs(sums - expected) <= (ERRORS[precision] + inputs * 1e-6) * size).all()
        assert np.array_equal(sums[columns:], expected[columns:])
        assert np.array_equal(sums[:, :3], expected[:, :3])


@pytest.mark.parametrize("precision", [FLOAT32, BFLOAT16_WEIGHTS, BFLOAT16])
def test_every_shape_gives_the_same_bits(precision):
    rng = np.random.default_rng(0)
    inputs, columns = 48, 12
    width = LANES * SHAPES.tall
    packed = PackedMatrix.of(rng.standard_normal((width, inputs)).astype(np.float32), precision)
    numbers, _ = as_inputs(rng.standard_normal((columns, inputs)).astype(np.float32), precision)
    stride = numbers.size // columns
    results = []
    for (rows, at_once), multiply in TILES.items():
        sums, offsets = np.zeros(columns * width, np.float32), np.arange(columns, dtype=np.intp) * stride
        for first in range(0, columns, at_once):
            for row in range(0, width, LANES * rows):
                s = first * width + row
                multiply(packed.data, row, width, numbers, 0, offsets, first, packed.rows, sums, s, width)
        results.append(sums)
    assert all(np.array_equal(result, results[0]) for result in results) and results[0].any()


def test_types_that_do_not_go_together_are_refused():
    floats, words, offsets = np.zeros(64, np.float32), np.zeros(64, np.int32), np.zeros(1, np.intp)
    with pytest.raises(Exception, match="no tile for"):
        TILES[1, 1](floats, 0, 16, words, 0, offsets, 0, 1, floats, 0, 16)


REGISTERS = {"avx512f": (1, 32), "avx2": (2, 16), "sse2": (4, 16), "neon": (4, 32)}
"""Of one vector of 16 floats, and of the processor."""


@pytest.mark.parametrize("feature", REGISTERS)
def test_tiles_fill_the_registers_and_no_more_than_those(feature):
    shapes = tile_shapes(frozenset([feature]), "aarch64" if feature == "neon" else "x86_64")
    per_vector, registers = REGISTERS[feature]
    for rows, columns in (shapes.wide, shapes.pair, *shapes.narrow, (shapes.tall, 1)):
        accumulators = rows * columns * per_vector
        assert accumulators + min(rows, per_vector) + 1 <= registers
    rows, columns = shapes.wide
    assert rows * columns * per_vector >= registers / 2
    # Leftover columns are taken by narrower and narrower tiles.
    assert columns > shapes.narrow[0][1] >= shapes.narrow[1][1] > 1 or shapes.wide[1] <= 2
    assert shapes.pair[0] in (1, 2)

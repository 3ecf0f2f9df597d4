import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.engines.vector.packed_matrix import PackedMatrix, aligned_zeros, padded, round_to_bfloat16
from wavegen.engines.vector.tiles import (
    BFLOAT16,
    BFLOAT16_WEIGHTS,
    FLOAT32,
)
from wavegen.engines.vector.vector_code import LANES


@settings(max_examples=50)
@given(st.integers(1, 40), st.integers(1, 9), st.sampled_from([BFLOAT16_WEIGHTS, BFLOAT16]))
def test_pairs_are_the_nearest_bfloat16(outputs, inputs, precision):
    matrix = np.random.default_rng(outputs).standard_normal((outputs, inputs)).astype(np.float32)
    packed = PackedMatrix.of(matrix, precision)
    words = packed.data.reshape(packed.rows, packed.width).view(np.uint32)
    low = (words << np.uint32(16)).view(np.float32)
    high = (words if precision == BFLOAT16_WEIGHTS else words & np.uint32(0xFFFF0000)).view(np.float32)
    unpacked = np.concatenate([low, high])
    np.testing.assert_allclose(unpacked[:inputs, :outputs].T, matrix, rtol=2.0**-8)
    assert not unpacked[:, outputs:][: packed.rows].any()
    assert packed.data.ctypes.data % 64 == 0 and packed.width % LANES == 0


def test_rounding_to_bfloat16_takes_the_nearest_and_ties_to_even():
    bits = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0xBF80FFFF, 0], np.uint32)
    rounded = round_to_bfloat16(bits.view(np.float32))
    assert rounded.tolist() == [0x3F800000, 0x3F820000, 0x3F810000, 0xBF810000, 0]


def test_aligned_zeros_begin_on_a_cache_line():
    for size in (1, 7, 1000):
        array = aligned_zeros(size, np.int32)
        assert array.ctypes.data % 64 == 0 and array.shape == (size,) and not array.any()


@given(st.integers(1, 40), st.integers(1, 9))
def test_float32_lies_input_by_input_with_zeros_behind_the_outputs(outputs, inputs):
    matrix = np.random.default_rng(outputs).standard_normal((outputs, inputs)).astype(np.float32)
    packed = PackedMatrix.of(matrix, FLOAT32)
    assert (packed.rows, packed.width) == (inputs, padded(outputs)) and packed.data.dtype == np.float32
    laid_out = packed.data.reshape(inputs, packed.width)
    assert np.array_equal(laid_out[:, :outputs], matrix.T) and not laid_out[:, outputs:].any()


def test_channels_are_padded_to_whole_vectors():
    assert [padded(channels) for channels in (0, 1, LANES, LANES + 1)] == [0, LANES, LANES, 2 * LANES]

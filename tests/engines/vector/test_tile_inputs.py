import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from wavegen.engines.vector.packed_matrix import round_to_bfloat16
from wavegen.engines.vector.tile_inputs import paired_order, put
from wavegen.engines.vector.vector_code import LANES


@njit
def _put(destination, d, source, s):
    put(destination, d, source, s)


def test_floats_are_put_as_they_are_and_nothing_beside_them():
    source = np.random.default_rng(0).standard_normal(LANES + 5).astype(np.float32)
    destination = np.full(LANES + 4, 9, np.float32)
    _put(destination, 3, source, 5)
    assert np.array_equal(destination[3:-1], source[5:]) and (destination[[0, 1, 2, -1]] == 9).all()


def test_words_hold_neighbours_rounded_to_the_nearest():
    rng = np.random.default_rng(1)
    source = (rng.standard_normal(LANES) * 10 ** rng.uniform(-6, 6, LANES)).astype(np.float32)
    words = np.full(LANES // 2 + 2, -1, np.int32)
    _put(words, 1, source, 0)
    assert words[0] == words[-1] == -1
    halves = words[1:-1].view(np.uint16).astype(np.uint32) << np.uint32(16)  # low half first
    assert np.array_equal(halves, round_to_bfloat16(source))


@given(st.integers(1, 20))
def test_pairs_are_evens_then_odds(half):
    order = paired_order(2 * half)
    # PackedMatrix pairs input k with k + half: these are to be neighbours
    assert np.array_equal(order[half:], order[:half] + 1) and np.array_equal(
        order[:half], 2 * np.arange(half)
    )


def test_other_types_are_refused():
    with pytest.raises(Exception, match="no way to put float64 into float32"):
        _put(np.zeros(LANES, np.float32), 0, np.zeros(LANES), 0)
    with pytest.raises(Exception, match="no way to put float32 into int64"):
        _put(np.zeros(LANES, np.int64), 0, np.zeros(LANES, np.float32), 0)

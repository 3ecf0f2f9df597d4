import numpy as np
import pytest
from numba import njit

from wavegen.engines.vector.memory_access import peek, poke


@njit
def _reverse(source, destination):
    for i in range(source.size):
        poke(destination, source.size - 1 - i, peek(source, i))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32, np.int64])
def test_elements_are_those_of_numpy(kind):
    source = np.arange(1, 8).astype(kind)
    destination = np.zeros(9, kind)
    _reverse(source, destination[1:8])
    assert destination.tolist() == [0, 7, 6, 5, 4, 3, 2, 1, 0]


@njit
def _poke_all(array, place, value):
    poke(array, place, value)


def test_a_value_is_cast_to_the_arrays_type_and_places_may_be_narrow():
    floats, whole = np.zeros(3, np.float32), np.zeros(3, np.int32)
    _poke_all(floats, np.int32(1), 0.1)
    _poke_all(whole, np.uint8(2), np.int64(7))
    assert floats.tolist() == [0, np.float32(0.1), 0] and whole.tolist() == [0, 0, 7]

import numpy as np
from numba import njit

from wavegen.engines.vector.gate_vectors import put_gated
from wavegen.engines.vector.packed_matrix import round_to_bfloat16
from wavegen.engines.vector.vector_code import LANES


@njit
def _gate(destination, elements, sums):
    for group in range(sums.size // (2 * LANES)):
        put_gated(destination, group * elements, sums, group * 2 * LANES)


def gated(a, b):
    """Vectors of 16, laid out as a tile leaves them; float32, and the numbers of the words."""
    sums = np.stack([a.reshape(-1, LANES), b.reshape(-1, LANES)], 1).astype(np.float32).ravel()
    floats, words = np.zeros(a.size, np.float32), np.zeros(a.size // 2, np.int32)
    _gate(floats, LANES, sums)
    _gate(words, LANES // 2, sums)
    return floats, (words.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)


def test_gates_are_tanh_times_sigmoid_at_every_magnitude():
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((2, 4096)) * 10 ** rng.uniform(-3, 3, (2, 4096))).astype(np.float32)
    floats, rounded = gated(a, b)
    exact = np.tanh(a.astype(np.float64)) / (1 + np.exp(-b.astype(np.float64).clip(-700)))
    np.testing.assert_allclose(floats, exact, rtol=0, atol=2e-7)
    nearest = round_to_bfloat16(floats).view(np.float32)
    normal = np.abs(floats) > 1e-30  # some machines flush denormals here
    assert np.array_equal(rounded[normal], nearest[normal])


def test_gates_at_infinity_and_at_nan():
    infinity, nan = np.inf, np.nan
    a = np.array([infinity, -infinity, 1, nan, 0] + [0] * 11, np.float32)
    b = np.array([infinity, infinity, -infinity, 0, nan] + [0] * 11, np.float32)
    floats, _ = gated(a, b)
    np.testing.assert_allclose(floats[:5], [1, -1, 0, nan, nan], atol=1e-17)

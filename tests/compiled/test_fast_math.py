import numpy as np
from numba import njit

from wavegen.compiled.fast_math import exp32


@njit
def _exp_of_all(x, out):
    for i in range(x.size):
        out[i] = exp32(x[i])


def test_exp_is_right_to_the_last_places():
    x = np.random.default_rng(0).uniform(-87, 88, 4096).astype(np.float32)
    out = np.empty_like(x)
    _exp_of_all(x, out)
    np.testing.assert_allclose(out, np.exp(x.astype(np.float64)), rtol=2 * np.finfo(np.float32).eps)


def test_exp_is_finite_beyond_its_range_and_keeps_nan():
    x = np.array([-np.inf, -1e4, 1e4, np.inf, np.nan], np.float32)
    out = np.empty_like(x)
    _exp_of_all(x, out)
    assert out[0] == out[1] < 1e-37 and out[2] == out[3] > 1e38
    assert np.isfinite(out[:4]).all() and np.isnan(out[4])

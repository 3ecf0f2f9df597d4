import numpy as np
from numba import njit

from wavegen.synthesis.fast_math import exp32, gated32


@njit
def _exp_of_all(x, out):
    for i in range(x.size):
        out[i] = exp32(x[i])


@njit
def _gate_of_all(a, b, out):
    for i in range(a.size):
        out[i] = gated32(a[i], b[i])


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


def test_the_gate_is_tanh_times_sigmoid_at_every_magnitude():
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal((2, 8192)) * 10 ** rng.uniform(-3, 3, (2, 8192))).astype(np.float32)
    out = np.empty_like(a)
    _gate_of_all(a, b, out)
    a, b = a.astype(np.float64), b.astype(np.float64)
    np.testing.assert_allclose(out, np.tanh(a) / (1 + np.exp(-b.clip(-700))), rtol=0, atol=2e-7)


def test_the_gate_at_infinity_and_at_nan():
    infinity, nan = np.inf, np.nan
    a = np.array([infinity, -infinity, 1, nan, 0], np.float32)
    b = np.array([infinity, infinity, -infinity, 0, nan], np.float32)
    out = np.empty_like(a)
    _gate_of_all(a, b, out)
    np.testing.assert_allclose(out, [1, -1, 0, nan, nan], atol=1e-17)

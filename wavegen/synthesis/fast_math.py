"""Exponentials of compiled loops, in arithmetic that a compiler spreads over wide registers.

The library's own functions are called once per number, these are worked out once per register. They
promise no more than float32 needs, and the same bits wherever a number stands.
"""

import numpy as np
from numba import njit

_OPTIONS = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}

# Adding and taking away 1.5 · 2^23 rounds to a whole number, which stands in the sum's lowest bits meanwhile.
_ROUND, _SHIFT = np.float32(12582912.0), np.int32(23)

# exp after the Cephes library: 2^n · p(r), r = x − n log 2 in two pieces.
_LOWEST, _HIGHEST = np.float32(-87.33654), np.float32(88.37626)
_LOG2_E = np.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_P5, _P4, _P3 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_P2, _P1, _P0 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)
_ONE = np.float32(1.0)

# 2^f on [−1/2, 1/2], the polynomial of degree five with the least relative error, 1 at 0.
POWERS_OF_TWO = tuple(
    np.float32(c) for c in (1.3264731e-3, 9.6715128e-3, 5.5507337e-2, 2.4022242e-1, 6.9314698e-1, 1.0)
)
_Q5, _Q4, _Q3, _Q2, _Q1, _ = POWERS_OF_TWO
_MINUS_LOG2_E, _MINUS_TWO_LOG2_E = np.float32(-1.44269504), np.float32(-2.88539008)
_BOUND = np.float32(60.0)


@njit(**_OPTIONS)
def exp32(x):
    """exp(x) of a float32 within 2 units in the last place; finite beyond ±87, NaN for NaN."""
    bounded = _LOWEST if x < _LOWEST else x
    bounded = _HIGHEST if bounded > _HIGHEST else bounded
    exponent = (bounded * _LOG2_E + _ROUND) - _ROUND
    r = bounded - exponent * _LN2_HIGH - exponent * _LN2_LOW
    p = ((((_P5 * r + _P4) * r + _P3) * r + _P2) * r + _P1) * r + _P0
    power = np.int32((np.int32(exponent) + np.int32(127)) << _SHIFT).view(np.float32)
    return (p * (r * r) + r + _ONE) * power


@njit(**_OPTIONS)
def _exp2(x):
    """2^x for |x| ≤ 126."""
    sum_ = x + _ROUND
    f = x - (sum_ - _ROUND)
    whole = np.float32(sum_).view(np.int32)
    p = ((((_Q5 * f + _Q4) * f + _Q3) * f + _Q2) * f + _Q1) * f + _ONE
    return np.int32(np.float32(p).view(np.int32) + np.int32(whole << _SHIFT)).view(np.float32)


@njit(**_OPTIONS)
def _bounded(x):
    x = -_BOUND if x < -_BOUND else x
    return _BOUND if x > _BOUND else x


@njit(**_OPTIONS)
def gated32(a, b):
    r"""tanh(a) · σ(b) of two float32, within 2e-7 absolutely; NaN for NaN.

    With :math:`A = e^{-2a}` and :math:`B = e^{-b}` it is :math:`(1 - A) / ((1 + A)(1 + B))`: one division.
    The exponents are bounded by ±60 in base 2, where tanh is ±1 and σ within 1e-18 of its limits.
    """
    first, second = _exp2(_bounded(a * _MINUS_TWO_LOG2_E)), _exp2(_bounded(b * _MINUS_LOG2_E))
    return (_ONE - first) / ((_ONE + first) * (_ONE + second))

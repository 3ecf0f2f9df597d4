"""An exponential for compiled loops that the compiler can vectorise.

The library's function is called once per number, this one is computed once per register. It has float32
accuracy, and its result does not depend on a number's position in the array.
"""

from typing import Any

import numpy as np
from numba import njit

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz"},
}

# Adding and subtracting 1.5 · 2^23 rounds to a whole number.
_ROUND, _SHIFT = np.float32(12582912.0), np.int32(23)

# exp after the Cephes library: 2^n · p(r), r = x − n log 2 in two pieces.
_LOWEST, _HIGHEST = np.float32(-87.33654), np.float32(88.37626)
_LOG2_E = np.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_P5, _P4, _P3 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_P2, _P1, _P0 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)
_ONE = np.float32(1.0)


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

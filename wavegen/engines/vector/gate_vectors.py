"""A WaveNet's gates for a vector of 16 channels, emitted as LLVM vector code through Numba.

.. math:: h = \\tanh(a) \\, \\sigma(b) = \\frac{1 - A}{(1 + A)(1 + B)}, \\qquad A = e^{-2a}, \\; B = e^{-b}

It needs one division and two powers of two: :math:`2^x = 2^n \\, p(x - n)` with n the nearest whole number
    and
p the fifth-degree polynomial of least relative error with p(0) = 1. The exponents are bounded by ±60 in base
2, where tanh is ±1 and σ within 1e-18 of its limits. The absolute error is at most 2e-7; NaN gives NaN.
"""

from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from wavegen.engines.vector.tile_inputs import store_inputs
from wavegen.engines.vector.vector_code import FLOATS, INTP, LANES, WORDS, Arguments, constant, fma, load

_POWERS_OF_TWO = (1.3264731e-3, 9.6715128e-3, 5.5507337e-2, 2.4022242e-1, 6.9314698e-1, 1.0)
_BOUND = 60.0
# Adding 1.5 · 2^23 rounds to a whole number in the sum's lowest bits; subtracting it gives that number.
_ROUND = constant(12582912.0)


@intrinsic
def put_gated(typing_context, destination, d, sums, s):
    """Write 16 numbers tanh(sums[s:]) · σ(sums[s + 16:]) as inputs of products, see ``tile_inputs.put``."""
    if destination.dtype not in (types.float32, types.int32) or sums.dtype != types.float32:
        raise TypingError(f"no way to put gated {sums.dtype} into {destination.dtype}")

    def codegen(context, builder, signature, args):
        given = Arguments(context, builder, signature, args)
        signal = given.number(3)
        a, b = (load(builder, given.element(2, builder.add(signal, INTP(o)))) for o in (0, LANES))
        store_inputs(builder, gated(builder, a, b), given.element(0, given.number(1)), destination.dtype)
        return context.get_dummy_value()

    return types.void(destination, d, sums, s), codegen


def gated(builder, a, b):
    """Emit tanh(a) · σ(b) of two vectors."""
    one = constant(1.0)
    first, second = _exp2(builder, a, -2.88539008), _exp2(builder, b, -1.44269504)
    both = builder.fmul(builder.fadd(one, first), builder.fadd(one, second))
    return builder.fdiv(builder.fsub(one, first), both)


def _exp2(builder, x, factor):
    """2^(factor · x), the exponent within ±60."""
    bound = _BOUND / abs(factor)
    for limit, comparison in ((bound, ">"), (-bound, "<")):
        x = builder.select(builder.fcmp_ordered(comparison, x, constant(limit)), constant(limit), x)
    shifted = fma(builder, x, constant(factor), _ROUND)
    rest = fma(builder, x, constant(factor), builder.fneg(builder.fsub(shifted, _ROUND)))
    power = constant(_POWERS_OF_TWO[0])
    for coefficient in _POWERS_OF_TWO[1:]:
        power = fma(builder, power, rest, constant(coefficient))
    exponent = builder.shl(builder.bitcast(shifted, WORDS), constant(23, WORDS))
    return builder.bitcast(builder.add(builder.bitcast(power, WORDS), exponent), FLOATS)

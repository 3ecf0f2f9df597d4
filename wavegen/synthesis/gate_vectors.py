"""A WaveNet's gates, a vector of 16 channels at once, emitted as LLVM vector code through Numba.

.. math:: h = \\tanh(a) \\, \\sigma(b) = \\frac{1 - A}{(1 + A)(1 + B)}, \\qquad A = e^{-2a}, \\; B = e^{-b}

One division, two powers of two: :math:`2^x = 2^n \\, p(x - n)` with n the nearest whole number and the
fifth-degree polynomial p of the least relative error. Within 2e-7 of h absolutely; NaN for NaN. What
:func:`~wavegen.synthesis.fast_math.gated32` works out for one number.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from wavegen.synthesis import fast_math
from wavegen.synthesis.tile_inputs import store_inputs
from wavegen.synthesis.tiles import LANES

_FLOATS, _WORDS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.IntType(32), LANES)


@intrinsic
def put_gated(typing_context, destination, d, sums, s):
    """Writes 16 numbers tanh(sums[s:]) · σ(sums[s + 16:]) as inputs of products, see ``tile_inputs.put``."""
    if destination.dtype not in (types.float32, types.int32) or sums.dtype != types.float32:
        raise TypingError(f"no way to put gated {sums.dtype} into {destination.dtype}")

    def codegen(context, builder, signature, args):
        def pointer(position, offset=0):
            array = context.make_array(signature.args[position])(context, builder, args[position])
            index = context.cast(builder, args[position + 1], signature.args[position + 1], types.intp)
            return cgutils.gep(builder, array.data, builder.add(index, ir.IntType(64)(offset)))

        a, b = (builder.load(builder.bitcast(pointer(2, o), _FLOATS.as_pointer())) for o in (0, LANES))
        a.align = b.align = 4
        store_inputs(builder, gated(builder, a, b), pointer(0), signature.args[0].dtype)
        return context.get_dummy_value()

    return types.void(destination, d, sums, s), codegen


def gated(builder, a, b):
    """Emits tanh(a) · σ(b) of two vectors."""
    one = _all(1.0)
    first, second = _exp2(builder, a, -2.88539008), _exp2(builder, b, -1.44269504)
    both = builder.fmul(builder.fadd(one, first), builder.fadd(one, second))
    return builder.fdiv(builder.fsub(one, first), both)


def _exp2(builder, x, factor):
    """2^(factor · x), the exponent within ±60."""
    bound = 60.0 / abs(factor)
    for limit, comparison in ((bound, ">"), (-bound, "<")):
        beyond = builder.fcmp_ordered(comparison, x, _all(limit))
        x = builder.select(beyond, _all(limit), x)
    # The sum's lowest bits hold the whole number.
    shifted = _fma(builder, x, _all(factor), _all(12582912.0))
    whole = builder.fsub(shifted, _all(12582912.0))
    rest = _fma(builder, x, _all(factor), builder.fneg(whole))
    power = _all(float(fast_math.POWERS_OF_TWO[0]))
    for coefficient in fast_math.POWERS_OF_TWO[1:]:
        power = _fma(builder, power, rest, _all(float(coefficient)))
    exponent = builder.shl(builder.bitcast(shifted, _WORDS), ir.Constant(_WORDS, [23] * LANES))
    return builder.bitcast(builder.add(builder.bitcast(power, _WORDS), exponent), _FLOATS)


def _all(number):
    return ir.Constant(_FLOATS, [number] * LANES)


def _fma(builder, a, b, c):
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_FLOATS, [_FLOATS] * 3), f"llvm.fma.v{LANES}f32"
    )
    return builder.call(function, [a, b, c])

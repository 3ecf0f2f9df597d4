"""Elements of flat arrays by their place alone, for compiled loops.

Numba's own indexing lets a negative index count from the end. The question, asked for every element, keeps
the compiler from loading a register at a time. Nothing is checked here: a place outside the array is a crash.
"""

from numba import types
from numba.extending import intrinsic

from wavegen.engines.vector.vector_code import Arguments


@intrinsic
def peek(typing_context, array, place):
    """``array[place]``, 0 ≤ place < len(array), of a contiguous array."""

    def codegen(context, builder, signature, args):
        return builder.load(_element(context, builder, signature, args))

    return array.dtype(array, place), codegen


@intrinsic
def poke(typing_context, array, place, value):
    """``array[place] = value``, 0 ≤ place < len(array), of a contiguous array."""

    def codegen(context, builder, signature, args):
        kind = signature.args[0].dtype
        value = context.cast(builder, args[2], signature.args[2], kind)
        builder.store(value, _element(context, builder, signature, args))
        return context.get_dummy_value()

    return types.void(array, place, value), codegen


def _element(context, builder, signature, args):
    given = Arguments(context, builder, signature, args)
    return given.element(0, given.number(1))

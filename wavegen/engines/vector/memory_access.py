"""Unchecked access to elements of flat arrays, for compiled loops.

Numba's own indexing tests for negative indices, which count from the end. That test for every element
prevents vectorised loads. Nothing is checked here: an index outside the array crashes the process.
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

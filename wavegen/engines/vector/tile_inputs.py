"""Numbers as a tile takes them for inputs: float32 as they are, or rounded to bfloat16, two in a word.

A word holds channel 2k (low half) and channel 2k + 1, which is how bfloat16 lie in memory, so that 16 numbers
are converted in one instruction where the machine has one. ``PackedMatrix`` pairs input k with
k + inputs / 2: weights that meet such words are packed with their inputs in ``paired_order``.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from wavegen.engines.vector.vector_code import Arguments, load, store, to_bfloat16


def paired_order(inputs: int) -> np.ndarray:
    """The order of an even number of inputs in which ``PackedMatrix`` pairs neighbours: evens, then odds."""
    return np.arange(inputs).reshape(-1, 2).T.ravel()


@intrinsic
def put(typing_context, destination, d, source, s):
    """Writes the 16 floats ``source[s:]``: 16 elements of ``destination[d:]``, or 8 where it holds words.

    Rounded to the nearest, ties to even.
    """
    if destination.dtype not in (types.float32, types.int32) or source.dtype != types.float32:
        raise TypingError(f"no way to put {source.dtype} into {destination.dtype}")

    def codegen(context, builder, signature, args):
        given = Arguments(context, builder, signature, args)
        numbers = load(builder, given.element(2, given.number(3)))
        store_inputs(builder, numbers, given.element(0, given.number(1)), destination.dtype)
        return context.get_dummy_value()

    return types.void(destination, d, source, s), codegen


def store_inputs(builder: ir.IRBuilder, numbers: ir.Value, address: ir.Value, element: types.Type) -> None:
    """Emits what writes a vector of 16 floats as inputs: as they are, or in words."""
    if element == types.int32:
        numbers = to_bfloat16(builder, numbers)
    store(builder, numbers, address)

"""Writes the inputs of tiles: float32 unchanged, or rounded to bfloat16, two in a word.

A word contains channel 2k (low half) and channel 2k + 1. This is the order of bfloat16 in memory, so that one
instruction, if the CPU has it, converts 16 numbers. ``PackedMatrix`` pairs input k with k + inputs / 2:
weights for such words are packed with their inputs in ``paired_order``.
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
    """Write the 16 floats ``source[s:]`` into 16 elements of ``destination[d:]``, or into 8 words.

    bfloat16 is rounded to the nearest, ties to even.
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
    """Emit the code that writes a vector of 16 floats as inputs: unchanged, or in words."""
    if element == types.int32:
        numbers = to_bfloat16(builder, numbers)
    store(builder, numbers, address)

"""Matrix products in registers: the inner loops of the engines, emitted as LLVM vector code through Numba.

A *tile* holds ``rows × columns`` accumulators of 16 lanes for a whole product. Each loaded input is
multiplied with ``rows`` registers of weights, and each register of weights with ``columns`` inputs. Compilers
spill these accumulators to memory if plain loops are used. ``SHAPES`` has the shapes that fill this CPU's
registers.

One tile computes, for output lanes ``16 r … 16 r + 15`` of column c,

.. math:: \\text{sums}_{c, o} \\mathrel{+}= \\sum_{k} W_{k, o} \\, x_{c, k}

with the weights stored input by input (``PackedMatrix``); each column of inputs and sums is contiguous.
"""

from dataclasses import dataclass

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from wavegen import processor
from wavegen.engines.vector.vector_code import (
    FLOATS,
    HAS_BFLOAT16,
    INTP,
    LANES,
    WORDS,
    Arguments,
    BFloat,
    broadcast,
    constant,
    fma,
    load,
    store,
)

FLOAT32, BFLOAT16_WEIGHTS, BFLOAT16 = range(3)
"""Precisions of products: float32; bfloat16 weights and float32 inputs; both bfloat16. Sums are float32."""


@dataclass(frozen=True)
class TileShapes:
    """Shapes of tiles for one kind of registers, each (rows, columns).

    Attributes:
        wide: for many columns and rows: the most products per load.
        pair: for many columns and two rows, signal and gate; or for one row after the other.
        narrow: two shapes for the remaining columns, the wider first.
        tall: rows of a tile for a single column: enough sums to hide the latency of a multiply–add.
    """

    wide: tuple[int, int]
    pair: tuple[int, int]
    narrow: tuple[tuple[int, int], tuple[int, int]]
    tall: int


def tile_shapes(features: frozenset[str], architecture: str) -> TileShapes:
    """The shapes for a processor with these features.

    Beside the accumulators, a row of weights and one input need registers. A vector of 16 floats needs one
    register of AVX-512 (of 32), two of AVX (of 16), four of SSE (of 16) and of NEON (of 32).
    """
    if "avx512f" in features:
        return TileShapes(wide=(4, 4), pair=(2, 12), narrow=((4, 2), (4, 2)), tall=8)
    if "avx" in features or "avx2" in features:
        return TileShapes(wide=(1, 6), pair=(1, 6), narrow=((1, 4), (2, 2)), tall=4)
    if architecture == "aarch64":
        return TileShapes(wide=(1, 6), pair=(1, 6), narrow=((1, 4), (1, 2)), tall=4)
    return TileShapes(wide=(1, 2), pair=(1, 2), narrow=((1, 2), (1, 2)), tall=2)


SHAPES = tile_shapes(processor.features(), processor.architecture())
"""The tile shapes of this processor."""
_PRECISIONS = {
    (types.float32, types.float32): FLOAT32,
    (types.int32, types.float32): BFLOAT16_WEIGHTS,
    (types.int32, types.int32): BFLOAT16,
}

_BFLOATS = ir.VectorType(BFloat(), 2 * LANES)
_SIXTEEN, _HIGH = constant(16, WORDS), constant(0xFFFF0000, WORDS)


def product_tile(rows: int, columns: int):
    """A function for compiled code that adds the product of one tile.

    ``tile(weights, w, stride, inputs, x, offsets, o, count, sums, s, sum_stride)``. All arrays are flat, and
    all offsets are counted in elements: the weights of input k begin at ``w + k * stride``; the inputs of
    column c at ``x + offsets[o + c]``; its sums at ``s + c * sum_stride``.

    Args of the function:
        weights: float32, or int32 words of two bfloat16 (see :class:`PackedMatrix`).
        inputs: float32, or int32 words of two bfloat16; the two types determine the precision.
        offsets: intp, one per column, so that columns may be anywhere (in a ring buffer, for example).
        count: rows of ``weights`` to sum over: inputs, or pairs of inputs.

    Every shape adds in the order of k, so the result does not depend on the shape.
    """

    @intrinsic
    def tile(typing_context, weights, w, stride, inputs, x, offsets, o, count, sums, s, sum_stride):
        signature = types.void(weights, w, stride, inputs, x, offsets, o, count, sums, s, sum_stride)
        kinds = (weights.dtype, inputs.dtype)
        if kinds not in _PRECISIONS or sums.dtype != types.float32 or offsets.dtype != types.intp:
            raise TypingError(
                f"no tile for weights, inputs, offsets, sums {(*kinds, offsets.dtype, sums.dtype)}"
            )
        return signature, _TileEmitter(rows, columns, _PRECISIONS[kinds])

    return tile


@dataclass(frozen=True)
class _TileEmitter:
    rows: int
    columns: int
    precision: int

    def __call__(self, context, builder, signature, args):
        given = Arguments(context, builder, signature, args)
        w, stride, x, o, count, s, sum_stride = (given.number(i) for i in (1, 2, 4, 6, 7, 9, 10))

        def plus(place, *steps):
            for step in steps:
                place = builder.add(place, step)
            return place

        starts = [plus(x, builder.load(given.element(5, plus(o, INTP(c))))) for c in range(self.columns)]
        # LLVM turns these slots into registers.
        cells = {
            (r, c): (
                cgutils.alloca_once(builder, FLOATS),
                given.element(8, plus(s, builder.mul(sum_stride, INTP(c)), INTP(LANES * r))),
            )
            for c in range(self.columns)
            for r in range(self.rows)
        }
        for slot, address in cells.values():
            builder.store(load(builder, address), slot)
        with cgutils.for_range(builder, count, intp=INTP) as loop:
            row = plus(w, builder.mul(loop.index, stride))
            kind = FLOATS if self.precision == FLOAT32 else WORDS
            weights = [
                load(builder, given.element(0, plus(row, INTP(LANES * r))), kind) for r in range(self.rows)
            ]
            for c, start in enumerate(starts):
                first, second = builder.load(given.element(3, plus(start, loop.index))), None
                if self.precision == BFLOAT16_WEIGHTS:
                    second = builder.load(given.element(3, plus(start, loop.index, count)))
                for r, weight in enumerate(weights):
                    slot, _ = cells[r, c]
                    total = builder.load(slot)
                    builder.store(self.multiply_add(builder, weight, first, second, total), slot)
        for slot, address in cells.values():
            store(builder, builder.load(slot), address)
        return context.get_dummy_value()

    def multiply_add(self, builder, weight, first, second, total):
        """total + the products of one register of weights with one input, or with a pair of inputs."""
        if self.precision == FLOAT32:
            return fma(builder, weight, broadcast(builder, first), total)
        low = builder.bitcast(builder.shl(weight, _SIXTEEN), FLOATS)
        if self.precision == BFLOAT16_WEIGHTS:
            # The second weight is the whole word: PackedMatrix has chosen it with the bits of the low half.
            total = fma(builder, low, broadcast(builder, first), total)
            return fma(builder, builder.bitcast(weight, FLOATS), broadcast(builder, second), total)
        pair = broadcast(builder, first)
        if HAS_BFLOAT16:
            name = "llvm.x86.avx512bf16.dpbf16ps.512"
            kind = ir.FunctionType(FLOATS, [FLOATS, _BFLOATS, _BFLOATS])
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            return builder.call(
                function, [total, builder.bitcast(weight, _BFLOATS), builder.bitcast(pair, _BFLOATS)]
            )
        total = fma(builder, low, builder.bitcast(builder.shl(pair, _SIXTEEN), FLOATS), total)
        high, pair = builder.and_(weight, _HIGH), builder.and_(pair, _HIGH)
        return fma(builder, builder.bitcast(high, FLOATS), builder.bitcast(pair, FLOATS), total)

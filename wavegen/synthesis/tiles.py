"""Matrix products in registers: the inner loops of the engines, emitted as LLVM vector code through Numba.

A *tile* holds ``rows × columns`` accumulators of 16 lanes for a whole product, so that an input number that
was loaded meets ``rows`` registers of weights and a register of weights meets ``columns`` inputs. What a
compiler makes of plain loops spills them. The vectors are LLVM's own, 16 floats wide whatever the machine's
registers are, so the code runs everywhere; ``WIDE`` and ``TALL`` are the shapes that fill this machine's.

One tile computes, for output lanes ``16 r … 16 r + 15`` of column c,

.. math:: \\text{sums}_{c, o} \\mathrel{+}= \\sum_{k} W_{k, o} \\, x_{c, k}

with the weights laid out input by input (``PackedMatrix``), every column of inputs and sums contiguous.
"""

from dataclasses import dataclass

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

LANES = 16
"""Floats in one vector."""

FLOAT32, BFLOAT16_WEIGHTS, BFLOAT16 = range(3)
"""What is multiplied: float32; bfloat16 weights with float32 inputs; both in bfloat16, summed in float32."""

_FEATURES = llvm.get_host_cpu_features()
HAS_BFLOAT16_PRODUCTS = bool(_FEATURES.get("avx512bf16"))
"""Whether this machine multiplies pairs of bfloat16 in one instruction, twice as many a second as float32."""

WIDE = (4, 4) if _FEATURES.get("avx512f") else (2, 3)
"""(rows, columns) of a tile for many columns: 16 or 6 accumulators (of 32 or, halved, 16 registers)."""
PAIR = (2, 12) if _FEATURES.get("avx512f") else (2, 3)
"""The same for two rows only, the signal's and the gate's: 24 or 6 accumulators."""
TALL = 8 if _FEATURES.get("avx512f") else 4
"""Rows of a tile for one column: enough independent sums to hide the latency of a multiply–add."""

_PRECISIONS = {
    (types.float32, types.float32): FLOAT32,
    (types.int32, types.float32): BFLOAT16_WEIGHTS,
    (types.int32, types.int32): BFLOAT16,
}

_FLOAT, _INT32, _INTP = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_FLOATS, _WORDS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT32, LANES)
_SIXTEEN, _HIGH = ir.Constant(_WORDS, [16] * LANES), ir.Constant(_WORDS, [0xFFFF0000] * LANES)


class BFloat(ir.types.Type):
    """LLVM's bfloat, which llvmlite has no name for."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloat)

    def __hash__(self) -> int:
        return hash(BFloat)


_BFLOATS = ir.VectorType(BFloat(), 2 * LANES)


def product_tile(rows: int, columns: int):
    """A function for compiled code that adds the product of one tile.

    ``tile(weights, w, stride, inputs, x, offsets, o, count, sums, s, sum_stride)``, all arrays flat, all
    numbers counted in elements: the weights of input k begin at ``w + k * stride``; column c's inputs at
    ``x + offsets[o + c]``; its sums at ``s + c * sum_stride``.

    Args of the function:
        weights: float32, or int32 words that hold two bfloat16 (see :class:`PackedMatrix`).
        inputs: float32, or int32 words of two: the types of both say which product it is.
        offsets: intp, one a column, so that columns may lie anywhere (in a ring, say).
        count: rows of ``weights`` to sum over: inputs, or pairs of inputs.

    Sums are formed in the order of k in every shape: the same numbers come out whichever tile computes them.
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
        def numbers(position):
            return context.cast(builder, args[position], signature.args[position], types.intp)

        def data(position):
            return context.make_array(signature.args[position])(context, builder, args[position]).data

        weights, inputs, offsets, sums = data(0), data(3), data(5), data(8)
        w, stride, x, o, count, s, sum_stride = (numbers(i) for i in (1, 2, 4, 6, 7, 9, 10))
        starts = [
            builder.add(x, builder.load(builder.gep(offsets, [builder.add(o, _INTP(c))])))
            for c in range(self.columns)
        ]
        cells = [
            (
                r,
                c,
                builder.gep(
                    sums, [builder.add(s, builder.add(builder.mul(sum_stride, _INTP(c)), _INTP(LANES * r)))]
                ),
            )
            for c in range(self.columns)
            for r in range(self.rows)
        ]
        # LLVM turns these slots into registers.
        slots = {(r, c): cgutils.alloca_once(builder, _FLOATS) for r, c, _ in cells}
        for r, c, address in cells:
            builder.store(_load(builder, address, _FLOATS), slots[r, c])
        with cgutils.for_range(builder, count, intp=_INTP) as loop:
            row = builder.add(w, builder.mul(loop.index, stride))
            element = _FLOATS if self.precision == FLOAT32 else _WORDS
            loaded = [
                _load(builder, builder.gep(weights, [builder.add(row, _INTP(LANES * r))]), element)
                for r in range(self.rows)
            ]
            for c, start in enumerate(starts):
                first = builder.load(builder.gep(inputs, [builder.add(start, loop.index)]))
                second = None
                if self.precision == BFLOAT16_WEIGHTS:
                    second = builder.load(
                        builder.gep(inputs, [builder.add(builder.add(start, loop.index), count)])
                    )
                for r, weight in enumerate(loaded):
                    total = builder.load(slots[r, c])
                    builder.store(self.multiply_add(builder, weight, first, second, total), slots[r, c])
        for r, c, address in cells:
            builder.store(builder.load(slots[r, c]), builder.bitcast(address, _FLOATS.as_pointer())).align = 4
        return context.get_dummy_value()

    def multiply_add(self, builder, weight, first, second, total):
        """total + the products of one register of weights with one input, or with the two of a pair."""
        if self.precision == FLOAT32:
            return _fma(builder, weight, _broadcast(builder, first), total)
        low = builder.bitcast(builder.shl(weight, _SIXTEEN), _FLOATS)
        if self.precision == BFLOAT16_WEIGHTS:
            # The high half is multiplied with the low half behind its own bits: PackedMatrix counted them in.
            total = _fma(builder, low, _broadcast(builder, first), total)
            return _fma(builder, builder.bitcast(weight, _FLOATS), _broadcast(builder, second), total)
        pair = _broadcast(builder, first)
        if HAS_BFLOAT16_PRODUCTS:
            name = "llvm.x86.avx512bf16.dpbf16ps.512"
            kind = ir.FunctionType(_FLOATS, [_FLOATS, _BFLOATS, _BFLOATS])
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            return builder.call(
                function, [total, builder.bitcast(weight, _BFLOATS), builder.bitcast(pair, _BFLOATS)]
            )
        total = _fma(builder, low, builder.bitcast(builder.shl(pair, _SIXTEEN), _FLOATS), total)
        high, pair = builder.and_(weight, _HIGH), builder.and_(pair, _HIGH)
        return _fma(builder, builder.bitcast(high, _FLOATS), builder.bitcast(pair, _FLOATS), total)


def _load(builder, address, kind):
    loaded = builder.load(builder.bitcast(address, kind.as_pointer()))
    loaded.align = 4
    return loaded


def _broadcast(builder, number):
    vector = ir.VectorType(number.type, LANES)
    undefined = ir.Constant(vector, ir.Undefined)
    return builder.shuffle_vector(
        builder.insert_element(undefined, number, _INT32(0)), undefined, ir.Constant(_WORDS, [0] * LANES)
    )


def _fma(builder, a, b, c):
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_FLOATS, [_FLOATS] * 3), f"llvm.fma.v{LANES}f32"
    )
    return builder.call(function, [a, b, c])


@dataclass(frozen=True)
class PackedMatrix:
    """A matrix as tiles read it: input by input, output channels padded with zeros to whole vectors.

    In bfloat16 inputs are paired, k with k + inputs / 2 (an odd number is padded with a zero), in one word:
    the low half the first, the high half the second. Rounded to the nearest; for ``BFLOAT16_WEIGHTS`` the
    word as a whole is the second weight, so the nearest *word* with that low half is taken, which errs no
    more.

    Attributes:
        data: flat, ``rows * width`` numbers or words, aligned to cache lines.
        rows: inputs, or pairs of them: the ``count`` of a tile.
        width: outputs, padded: the ``stride`` of a tile.
    """

    data: np.ndarray
    rows: int
    width: int

    @classmethod
    def of(cls, matrix: np.ndarray, precision: int) -> "PackedMatrix":
        """Packs ``(outputs, inputs)``."""
        outputs, inputs = matrix.shape
        width, pairs = padded(outputs), -(-inputs // 2)
        laid_out = np.zeros((inputs if precision == FLOAT32 else 2 * pairs, width), np.float32)
        laid_out[:inputs, :outputs] = matrix.T
        if precision != FLOAT32:
            laid_out = _pair(laid_out[:pairs], laid_out[pairs:], precision)
        data = aligned_zeros(laid_out.size, laid_out.dtype)
        data[:] = laid_out.ravel()
        return cls(data, len(laid_out), width)


def _pair(first: np.ndarray, second: np.ndarray, precision: int) -> np.ndarray:
    low = round_to_bfloat16(first) >> np.uint32(16)
    if precision == BFLOAT16:
        return (round_to_bfloat16(second) | low).view(np.int32)
    # Among the words with this low half the one nearest to the float: off by 2^15 of its last places at most.
    bits = second.view(np.uint32).astype(np.int64)
    high = (bits - low + 0x8000) >> 16
    return ((high.clip(0, 0xFFFF) << 16) | low).astype(np.uint32).view(np.int32)


def round_to_bfloat16(x: np.ndarray) -> np.ndarray:
    """The bits of the nearest bfloat16 (ties to even) as float32 bits with a zero low half, uint32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)


def padded(channels: int) -> int:
    """The next whole number of vectors."""
    return -(-channels // LANES) * LANES


def aligned_zeros(size: int, dtype: type = np.float32) -> np.ndarray:
    """A flat array of zeros that begins on a cache line."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.zeros(size * itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * itemsize].view(dtype)

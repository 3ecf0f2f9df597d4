"""Functions that emit LLVM instructions on vectors of 16 floats, through Numba.

The vectors are LLVM's own and always have 16 floats, so the code runs on every processor. The functions emit
code with ``builder`` into a function that Numba is compiling. They avoid operations that some processors
implement by a library call: a call costs a hundred times as much as an instruction, and not every process
has the library.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from wavegen import processor

LANES = 16
"""Floats in one vector."""

HAS_BFLOAT16 = "avx512bf16" in processor.features()
"""Whether the CPU has instructions that round to bfloat16 and multiply pairs of them."""


class BFloat(ir.types.Type):
    """LLVM's type bfloat, which llvmlite does not define."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloat)

    def __hash__(self) -> int:
        return hash(BFloat)


INT32, INTP = ir.IntType(32), ir.IntType(64)
FLOATS, WORDS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(INT32, LANES)


class Arguments:
    """An intrinsic's arguments: integers as indices, arrays as addresses of their elements."""

    def __init__(self, context, builder, signature, args) -> None:
        self.context, self.builder, self.types, self.args = context, builder, signature.args, args

    def number(self, position: int) -> ir.Value:
        """An integer argument as an index."""
        return self.context.cast(self.builder, self.args[position], self.types[position], types.intp)

    def element(self, position: int, place: ir.Value) -> ir.Value:
        """The address of an element of a flat array; the index is not checked and must not be negative."""
        array = self.context.make_array(self.types[position])(self.context, self.builder, self.args[position])
        return cgutils.gep(self.builder, array.data, place)


def load(builder: ir.IRBuilder, address: ir.Value, kind: ir.VectorType = FLOATS) -> ir.Value:
    """Load a vector from an address without alignment."""
    return builder.load(builder.bitcast(address, kind.as_pointer()), align=4)


def store(builder: ir.IRBuilder, vector: ir.Value, address: ir.Value) -> None:
    """Store a vector to an address without alignment."""
    builder.store(vector, builder.bitcast(address, vector.type.as_pointer()), align=4)


def broadcast(builder: ir.IRBuilder, number: ir.Value) -> ir.Value:
    """One number in all lanes."""
    undefined = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    first = builder.insert_element(undefined, number, INT32(0))
    return builder.shuffle_vector(first, undefined, constant(0, WORDS))


def constant(number: float, kind: ir.VectorType = FLOATS) -> ir.Constant:
    """A constant in all lanes."""
    return ir.Constant(kind, [number] * LANES)


def fma(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a · b + c, rounded once if the processor has an instruction for it, else twice."""
    kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
    # "fma" always rounds once, but needs a library call per number on processors without the instruction.
    name = f"llvm.fmuladd.v{LANES}f32"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])


def to_bfloat16(builder: ir.IRBuilder, numbers: ir.Value) -> ir.Value:
    """The nearest bfloat16 of 16 floats, ties to even, as 16 half-words; NaN stays NaN."""
    if HAS_BFLOAT16:
        return builder.fptrunc(numbers, ir.VectorType(BFloat(), LANES))
    bits = builder.bitcast(numbers, WORDS)
    upper = builder.lshr(bits, constant(16, WORDS))
    odd = builder.and_(upper, constant(1, WORDS))
    nearest = builder.add(bits, builder.add(odd, constant(0x7FFF, WORDS)))
    # Rounding could turn a NaN that has only low bits into infinity; a set highest mantissa bit prevents it.
    quiet = builder.or_(upper, constant(0x40, WORDS))
    is_nan = builder.fcmp_unordered("uno", numbers, numbers)
    rounded = builder.select(is_nan, quiet, builder.lshr(nearest, constant(16, WORDS)))
    return builder.trunc(rounded, ir.VectorType(ir.IntType(16), LANES))

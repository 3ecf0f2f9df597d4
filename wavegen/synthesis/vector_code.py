"""What the engines' vector code is written with: LLVM instructions on 16 floats at once, through Numba.

The vectors are LLVM's own, 16 floats wide whatever the machine's registers are, so the code runs everywhere.
Functions here emit into a function that Numba is compiling; ``builder`` is where.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils

LANES = 16
"""Floats in one vector."""


class BFloat(ir.types.Type):
    """LLVM's bfloat, which llvmlite has no name for."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloat)

    def __hash__(self) -> int:
        return hash(BFloat)


INT32, INTP = ir.IntType(32), ir.IntType(64)
FLOATS, WORDS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(INT32, LANES)


class Arguments:
    """An intrinsic's arguments: numbers as places, arrays as where their elements lie."""

    def __init__(self, context, builder, signature, args) -> None:
        self.context, self.builder, self.types, self.args = context, builder, signature.args, args

    def number(self, position: int) -> ir.Value:
        """An integer argument as a place."""
        return self.context.cast(self.builder, self.args[position], self.types[position], types.intp)

    def element(self, position: int, place: ir.Value) -> ir.Value:
        """The address of an element of a flat array; nothing is checked, and nothing counts from the end."""
        array = self.context.make_array(self.types[position])(self.context, self.builder, self.args[position])
        return cgutils.gep(self.builder, array.data, place)


def load(builder: ir.IRBuilder, address: ir.Value, kind: ir.VectorType = FLOATS) -> ir.Value:
    """A vector from anywhere."""
    return builder.load(builder.bitcast(address, kind.as_pointer()), align=4)


def store(builder: ir.IRBuilder, vector: ir.Value, address: ir.Value) -> None:
    """A vector to anywhere."""
    builder.store(vector, builder.bitcast(address, vector.type.as_pointer()), align=4)


def broadcast(builder: ir.IRBuilder, number: ir.Value) -> ir.Value:
    """One number in all lanes."""
    undefined = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    first = builder.insert_element(undefined, number, INT32(0))
    return builder.shuffle_vector(first, undefined, constant(0, WORDS))


def constant(number: float, kind: ir.VectorType = FLOATS) -> ir.Constant:
    """A number known beforehand in all lanes."""
    return ir.Constant(kind, [number] * LANES)


def fma(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a · b + c, rounded once."""
    kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
    return builder.call(
        cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32"), [a, b, c]
    )

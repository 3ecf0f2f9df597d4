"""Where the sums of a layer's gates begin: biases and the frames' projection, upsampled, in registers."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from wavegen.synthesis.tiles import LANES

_FLOATS, _INTP = ir.VectorType(ir.FloatType(), LANES), ir.IntType(64)
_WORDS = ir.VectorType(ir.IntType(32), LANES)


@intrinsic
def begin_sums(typing_context, starts, a, frames, f, frame_row, kernel, k, hop, sums, s, columns):
    """sums[c] = starts + Σ_j kernel[j, c] · frames[j], j < 3, for ``columns`` times of one frame.

    Each of 32 numbers: ``starts[a:]``, ``frames[f + j * frame_row:]``, ``sums[s + 32 c:]``; the kernel's are
    ``kernel[k + c + j * hop]``.
    """
    signature = types.void(starts, a, frames, f, frame_row, kernel, k, hop, sums, s, columns)

    def codegen(context, builder, signature, args):
        def number(position):
            return context.cast(builder, args[position], signature.args[position], types.intp)

        def place(position, index):
            array = context.make_array(signature.args[position])(context, builder, args[position])
            return cgutils.gep(builder, array.data, index)

        def vector(address):
            return builder.bitcast(address, _FLOATS.as_pointer())

        a, f, frame_row, k, hop, s, columns = (number(i) for i in (1, 3, 4, 6, 7, 9, 10))
        halves = [_INTP(0), _INTP(LANES)]
        rows = [builder.add(f, builder.mul(_INTP(j), frame_row)) for j in range(3)]
        begun = [builder.load(vector(place(0, builder.add(a, half))), align=4) for half in halves]
        framed = [
            [builder.load(vector(place(2, builder.add(row, half))), align=4) for half in halves]
            for row in rows
        ]
        with cgutils.for_range(builder, columns, intp=_INTP) as loop:
            totals = begun
            for j in range(3):
                at = builder.add(builder.add(k, loop.index), builder.mul(_INTP(j), hop))
                factor = _all(builder, builder.load(place(5, at)))
                totals = [
                    _fma(builder, factor, row, total) for row, total in zip(framed[j], totals, strict=True)
                ]
            first = builder.add(s, builder.mul(loop.index, _INTP(2 * LANES)))
            for half, total in zip(halves, totals, strict=True):
                builder.store(total, vector(place(8, builder.add(first, half)))).align = 4
        return context.get_dummy_value()

    return signature, codegen


def _all(builder, number):
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    return builder.shuffle_vector(
        builder.insert_element(undefined, number, ir.IntType(32)(0)),
        undefined,
        ir.Constant(_WORDS, [0] * LANES),
    )


def _fma(builder, a, b, c):
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_FLOATS, [_FLOATS] * 3), f"llvm.fma.v{LANES}f32"
    )
    return builder.call(function, [a, b, c])

"""Start values of the sums of a layer's gates: biases plus the upsampled projection of the frames."""

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from wavegen.engines.vector.vector_code import INTP, LANES, Arguments, broadcast, fma, load, store


@intrinsic
def begin_sums(typing_context, starts, a, frames, f, frame_row, kernel, k, hop, sums, s, columns):
    """sums[c] = starts + Σ_j kernel[j, c] · frames[j], j < 3, for ``columns`` times of one frame.

    Each has 32 numbers: ``starts[a:]``, ``frames[f + j * frame_row:]``, ``sums[s + 32 c:]``. The kernel's
    numbers are ``kernel[k + c + j * hop]``.
    """
    signature = types.void(starts, a, frames, f, frame_row, kernel, k, hop, sums, s, columns)

    def codegen(context, builder, signature, args):
        given = Arguments(context, builder, signature, args)
        a, f, frame_row, k, hop, s, columns = (given.number(i) for i in (1, 3, 4, 6, 7, 9, 10))
        halves = [INTP(0), INTP(LANES)]
        rows = [builder.add(f, builder.mul(INTP(j), frame_row)) for j in range(3)]
        begun = [load(builder, given.element(0, builder.add(a, half))) for half in halves]
        framed = [
            [load(builder, given.element(2, builder.add(row, half))) for half in halves] for row in rows
        ]
        with cgutils.for_range(builder, columns, intp=INTP) as loop:
            totals = begun
            for j in range(3):
                place = builder.add(builder.add(k, loop.index), builder.mul(INTP(j), hop))
                factor = broadcast(builder, builder.load(given.element(5, place)))
                totals = [
                    fma(builder, factor, row, total) for row, total in zip(framed[j], totals, strict=True)
                ]
            first = builder.add(s, builder.mul(loop.index, INTP(2 * LANES)))
            for half, total in zip(halves, totals, strict=True):
                store(builder, total, given.element(8, builder.add(first, half)))
        return context.get_dummy_value()

    return signature, codegen

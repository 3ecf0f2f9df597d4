import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from wavegen.engines.vector.packed_matrix import round_to_bfloat16
from wavegen.engines.vector.tile_inputs import put
from wavegen.engines.vector.vector_code import LANES, Arguments, broadcast, constant, fma, load, store


@intrinsic
def _line(typing_context, destination, d, slope, source, s):
    """destination[d:] = slope · source[s:] + 2."""

    def codegen(context, builder, signature, args):
        given = Arguments(context, builder, signature, args)
        x = load(builder, given.element(3, given.number(4)))
        total = fma(builder, broadcast(builder, args[2]), x, constant(2.0))
        store(builder, total, given.element(0, given.number(1)))
        return context.get_dummy_value()

    return types.void(destination, d, slope, source, s), codegen


@njit
def _lines(destination, d, slope, source, s):
    _line(destination, d, slope, source, s)


def test_instructions_work_on_all_lanes_from_any_place():
    source = np.random.default_rng(0).standard_normal(LANES + 3).astype(np.float32)
    destination = np.full(LANES + 2, 9, np.float32)
    _lines(destination, np.int32(1), np.float32(0.3), source, np.uint8(3))
    exact = np.float64(np.float32(0.3)) * source[3:] + 2
    np.testing.assert_allclose(destination[1:-1], exact, rtol=2 * np.finfo(np.float32).eps)
    assert destination[0] == destination[-1] == 9


@njit
def _round(words, numbers):
    for group in range(numbers.size // LANES):
        put(words, group * LANES // 2, numbers, group * LANES)


def rounded(bits):
    """The bits of the nearest bfloat16, as the vector code makes them, one for each float32."""
    numbers = np.zeros(-(-len(bits) // LANES) * LANES, np.float32)
    numbers[: len(bits)] = np.asarray(bits, np.uint32).view(np.float32)
    words = np.zeros(numbers.size // 2, np.int32)
    _round(words, numbers)
    return words.view(np.uint16)[: len(bits)]


def test_bfloat16_is_the_nearest_with_ties_to_even():
    ties = [0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF, 0xBF818000]
    assert rounded(ties).tolist() == [0x3F80, 0x3F82, 0x3F81, 0x3F80, 0xBF82]
    exponents = np.random.default_rng(0).integers(0x00800000, 0x7F000000, 4096).astype(np.uint32)
    nearest = round_to_bfloat16(exponents.view(np.float32)) >> np.uint32(16)
    assert np.array_equal(rounded(exponents), nearest)


def test_bfloat16_keeps_infinity_and_nan():
    largest, infinity, minus_infinity = 0x7F7FFFFF, 0x7F800000, 0xFF800000
    assert rounded([largest, infinity, minus_infinity]).tolist() == [0x7F80, 0x7F80, 0xFF80]
    for nan in (0x7F800001, 0x7FC00000, 0xFFFFFFFF):
        (half,) = rounded([nan])
        assert np.isnan((np.uint32(half) << np.uint32(16)).view(np.float32))

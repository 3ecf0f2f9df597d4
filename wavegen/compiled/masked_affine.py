"""The compiled inverse of a masked affine layer: a masked net and its affine map, one rank after another.

The layout suits wide registers: every unit is a row of up to ``BLOCK`` samples that are adjacent in memory,
and a weight multiplies a whole row. Compiled by Numba at first use (some seconds) and cached on disk.
"""

import math

from numba import njit, types
from numba.extending import overload

from wavegen.compiled.compiled_sources import INNER, cached_on_disk
from wavegen.compiled.fast_math import exp32

BLOCK = 128
"""Samples that are computed together: long rows, whose values still fit in the second-level cache."""

IDENTITY, RELU, LEAKY_RELU, ELU, SILU, TANH, SIGMOID = range(7)
"""Activations of a row; slope, alpha or bound is passed as a number."""


def _exp(x):
    raise NotImplementedError


@overload(_exp, jit_options={"fastmath": {"contract", "nsz"}})
def _exp_of(x):
    if x == types.float32:
        return lambda x: exp32(x)
    return lambda x: math.exp(x)


@njit(**INNER)
def _activate(kind, number, rows, begin, end, width):
    """Apply the activation to rows ``begin … end − 1`` in place."""
    zero, one, two = rows.dtype.type(0), rows.dtype.type(1), rows.dtype.type(2)
    number = rows.dtype.type(number)
    for row in range(begin, end):
        if kind == RELU:
            for s in range(width):
                rows[row, s] = zero if rows[row, s] < zero else rows[row, s]
        elif kind == LEAKY_RELU:
            for s in range(width):
                rows[row, s] = number * rows[row, s] if rows[row, s] < zero else rows[row, s]
        elif kind == ELU:
            for s in range(width):
                value = number * (_exp(rows[row, s]) - one)
                rows[row, s] = value if rows[row, s] < zero else rows[row, s]
        elif kind == SILU:
            for s in range(width):
                rows[row, s] = rows[row, s] / (one + _exp(-rows[row, s]))
        elif kind == SIGMOID:
            for s in range(width):
                rows[row, s] = one / (one + _exp(-rows[row, s]))
        elif kind == TANH:  # number · tanh(value / number)
            for s in range(width):
                rows[row, s] = number - two * number / (one + _exp(two / number * rows[row, s]))


@njit(**INNER)
def _accumulate(weights, first, stride, inputs, source, count, sums, begin, end, width):
    """sums[r] += Σ_k weights[first + (r − begin) · stride + k] · inputs[source + k], k < count, for rows r.

    Two rows and eight k at once: each loaded row is used twice, and each sum is stored once for eight k.
    """
    row = begin
    while row + 1 < end:
        a, b = first, first + stride
        q = row + 1
        k = 0
        while k + 8 <= count:
            i = source + k
            a0, a1, a2, a3 = weights[a + k], weights[a + k + 1], weights[a + k + 2], weights[a + k + 3]
            a4, a5, a6, a7 = weights[a + k + 4], weights[a + k + 5], weights[a + k + 6], weights[a + k + 7]
            b0, b1, b2, b3 = weights[b + k], weights[b + k + 1], weights[b + k + 2], weights[b + k + 3]
            b4, b5, b6, b7 = weights[b + k + 4], weights[b + k + 5], weights[b + k + 6], weights[b + k + 7]
            for s in range(width):
                x0, x1, x2, x3 = inputs[i, s], inputs[i + 1, s], inputs[i + 2, s], inputs[i + 3, s]
                x4, x5, x6, x7 = inputs[i + 4, s], inputs[i + 5, s], inputs[i + 6, s], inputs[i + 7, s]
                low, high = a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3, a4 * x4 + a5 * x5 + a6 * x6 + a7 * x7
                sums[row, s] += low + high
                low, high = b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3, b4 * x4 + b5 * x5 + b6 * x6 + b7 * x7
                sums[q, s] += low + high
            k += 8
        while k < count:
            a0, b0 = weights[a + k], weights[b + k]
            for s in range(width):
                sums[row, s] += a0 * inputs[source + k, s]
                sums[q, s] += b0 * inputs[source + k, s]
            k += 1
        row += 2
        first += 2 * stride
    if row < end:
        k = 0
        while k + 4 <= count:
            i, a = source + k, first + k
            a0, a1, a2, a3 = weights[a], weights[a + 1], weights[a + 2], weights[a + 3]
            for s in range(width):
                low, high = (
                    a0 * inputs[i, s] + a1 * inputs[i + 1, s],
                    a2 * inputs[i + 2, s] + a3 * inputs[i + 3, s],
                )
                sums[row, s] += low + high
            k += 4
        while k < count:
            a0 = weights[first + k]
            for s in range(width):
                sums[row, s] += a0 * inputs[source + k, s]
            k += 1


@njit(**INNER)
def _begin(start, first_unit, column, rows, begin, end, width):
    """Fill rows ``begin … end − 1`` with their units' start values: bias and contribution of the context."""
    for row in range(begin, end):
        unit = first_unit + row - begin
        if start.shape[1] == 1:
            for s in range(width):
                rows[row, s] = start[unit, 0]
        else:
            for s in range(width):
                rows[row, s] = start[unit, column + s]


@njit(**INNER)
def _invert(
    values,
    start,
    weights,
    offsets,
    ends,
    feature_of_rank,
    activation,
    scale_activation,
    first,
    last,
    known,
    sums,
):
    """Replace z by x in place, for the columns ``first … last − 1``.

    For each rank: compute the units of each layer that are now determined, then the next element's loc and
    log-scale, then x = (z − loc) · exp(−log_scale). Every weight is used once per sample.

    Args:
        values: ``(features, columns)``; z, then x.
        start: ``(units, columns)`` or ``(units, 1)``: bias and contribution of the context of every unit,
            hidden layers first, the parameters (loc and log-scale of rank 0, of rank 1, …) last.
        weights: all layers' packed rows, flat; layer l begins at ``offsets[l]``.
        ends: ``(layers, features + 1)``: ``ends[l, r]`` units of layer l are determined by the elements of
            rank below r; row 0 is the input.
        feature_of_rank: ``(features,)``.
        activation: kind and number, of the hidden layers; ``scale_activation``: of the log-scale.
        known: ``(features + hidden units, BLOCK)``, scratch; ``sums``: ``(2, BLOCK)``.
    """
    num_features = len(feature_of_rank)
    num_hidden = len(ends) - 1
    for column in range(first, last, BLOCK):
        width = min(BLOCK, last - column)
        for rank in range(num_features):
            here = 0  # first row of the layer; ``before`` is that of the previous layer
            for layer in range(1, num_hidden + 1):
                # only the units that became determined by the previous element
                done = ends[layer, rank - 1] if rank > 0 else 0
                before, here = here, here + ends[layer - 1, num_features]
                begin, end = here + done, here + ends[layer, rank]
                _begin(start, begin - num_features, column, known, begin, end, width)
                stride = ends[layer - 1, num_features]
                row = offsets[layer - 1] + done * stride
                count = ends[layer - 1, rank]
                _accumulate(weights, row, stride, known, before, count, known, begin, end, width)
                _activate(activation[0], activation[1], known, begin, end, width)
            _begin(
                start,
                here + ends[num_hidden, num_features] - num_features + 2 * rank,
                column,
                sums,
                0,
                2,
                width,
            )
            stride = ends[num_hidden, num_features]
            row = offsets[num_hidden] + 2 * rank * stride
            count = ends[num_hidden, rank]
            _accumulate(weights, row, stride, known, here, count, sums, 0, 2, width)
            _activate(scale_activation[0], scale_activation[1], sums, 1, 2, width)
            feature = feature_of_rank[rank]
            for s in range(width):
                known[rank, s] = (values[feature, column + s] - sums[0, s]) * _exp(-sums[1, s])
            for s in range(width):
                values[feature, column + s] = known[rank, s]


@cached_on_disk()
def invert_masked_affine(
    values, start, weights, offsets, ends, feature_of_rank, activation, scale_activation, first, last,
    known, sums,
):  # fmt: skip
    _invert(
        values, start, weights, offsets, ends, feature_of_rank, activation, scale_activation, first, last,
        known, sums,
    )  # fmt: skip

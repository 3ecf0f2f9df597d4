"""The loops inside the kernel, each by itself against numpy; the whole is tested with its layers."""

import numpy as np
import pytest
import torch
from torch import nn

from wavegen.compiled import masked_affine as kernel
from wavegen.compiled.masked_affine import _accumulate, _activate, _begin
from wavegen.flows import BoundedLogScale

ACTIVATIONS = {
    kernel.IDENTITY: (nn.Identity(), 0.0),
    kernel.RELU: (nn.ReLU(), 0.0),
    kernel.LEAKY_RELU: (nn.LeakyReLU(0.3), 0.3),
    kernel.ELU: (nn.ELU(0.7), 0.7),
    kernel.SILU: (nn.SiLU(), 0.0),
    kernel.TANH: (BoundedLogScale(2.0), 2.0),
    kernel.SIGMOID: (nn.Sigmoid(), 0.0),
}


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_rows_go_through_the_activation_and_others_do_not(kind):
    module, number = ACTIVATIONS[kind]
    rows = 3 * np.random.default_rng(0).standard_normal((5, 8))
    expected = rows.copy()
    expected[1:4, :6] = module(torch.from_numpy(rows[1:4, :6])).numpy()
    _activate(kind, number, rows, 1, 4, 6)
    np.testing.assert_allclose(rows, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7, 8, 9, 17])
@pytest.mark.parametrize("num_rows", [0, 1, 2, 5])
def test_a_weight_multiplies_a_whole_row(count, num_rows):
    rng = np.random.default_rng(count)
    width, stride, first, source, begin = 6, count + 3, 2, 1, 1
    weights, inputs = rng.standard_normal(first + 6 * stride), rng.standard_normal((source + count + 1, 8))
    sums = rng.standard_normal((begin + num_rows + 1, 8))
    expected = sums.copy()
    matrix = weights[first:].reshape(6, stride)[:num_rows, :count]
    expected[begin : begin + num_rows, :width] += matrix @ inputs[source : source + count, :width]
    _accumulate(weights, first, stride, inputs, source, count, sums, begin, begin + num_rows, width)
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("columns", [1, 9])
def test_units_begin_with_their_own_column_or_the_one_for_all(columns):
    start = np.random.default_rng(0).standard_normal((7, columns))
    rows = np.zeros((5, 8))
    _begin(start, 3, 2, rows, 1, 4, 6)
    expected = np.zeros((5, 8))
    expected[1:4, :6] = start[3:6, 2:8] if columns > 1 else start[3:6]
    assert np.array_equal(rows, expected)

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wavegen.distributions.batches import (
    context_batch,
    context_size,
    fold_batch,
    fold_context,
    join_batches,
    sum_last,
)
from wavegen.errors import UserError

SHAPES = st.lists(st.integers(1, 3), max_size=4)


@given(shape=SHAPES, data=st.data())
def test_the_last_dimensions_are_summed(shape, data):
    count = data.draw(st.integers(0, len(shape)))
    value = torch.randn(shape, dtype=torch.float64)
    expected = value.reshape(shape[: len(shape) - count] + [-1]).sum(-1)
    torch.testing.assert_close(sum_last(value, count), expected)


def test_no_dimension_is_summed_for_none():
    value = torch.arange(3.0)
    assert torch.equal(sum_last(value, 0), value)


def test_the_size_of_a_context_is_that_of_all_its_tensors():
    assert context_size(torch.zeros(4, 2)) == 4
    assert context_size({"a": torch.zeros(3), "b": torch.zeros(3, 5, 2)}) == 3
    with pytest.raises(UserError, match="one batch size in dimension 0 of every tensor, got .*'b': 2"):
        context_size({"a": torch.zeros(3), "b": torch.zeros(2)})
    with pytest.raises(UserError, match=r"got shape \(\) for context"):
        context_size(torch.tensor(1.0))
    with pytest.raises(UserError, match="got list for b"):
        context_size({"a": torch.zeros(3), "b": [1]})


@given(given_shape=SHAPES, batch_shape=SHAPES)
def test_joined_batches_are_what_both_broadcast_to(given_shape, batch_shape):
    try:
        expected = torch.broadcast_shapes(given_shape, batch_shape)
    except RuntimeError:
        with pytest.raises(UserError, match="batch: expected a shape that broadcasts"):
            join_batches(given_shape, batch_shape)
    else:
        assert join_batches(given_shape, batch_shape) == expected


def test_a_folded_batch_meets_the_context_of_its_last_dimension():
    value = torch.randn(2, 3, 4)
    context = {"style": torch.randn(3, 5), "length": torch.arange(3)}
    folded, repeated = fold_batch(value, 1, context)
    assert folded.shape == (6, 4)
    for draw in range(2):
        for member in range(3):
            row = 3 * draw + member
            assert torch.equal(folded[row], value[draw, member])
            assert torch.equal(repeated["style"][row], context["style"][member])
            assert repeated["length"][row] == member


def test_a_context_of_the_batch_is_handed_on_and_none_stays_none():
    value, context = torch.randn(3, 4), torch.randn(3, 2)
    assert fold_batch(value, 1, context)[1] is context
    assert fold_batch(value, 0, None)[0].shape == (12,) and fold_batch(value, 1, None)[1] is None


def test_a_context_that_does_not_divide_the_values_is_named():
    with pytest.raises(UserError, match="expected a batch that divides 6 values, got 4"):
        fold_batch(torch.zeros(2, 3, 1), 1, torch.zeros(4, 2))


def test_the_batch_of_a_context_is_what_precedes_its_rank():
    assert context_batch(None, 1) == ()
    assert context_batch(torch.zeros(5), 1) == ()
    assert context_batch(torch.zeros(2, 3, 5), 1) == (2, 3)
    assert context_batch(torch.zeros(2, 3, 5)) == (2,)
    assert context_batch({"a": torch.zeros(3, 5), "b": torch.zeros(2, 1)}, {"a": 1, "b": 0}) == (2, 3)
    with pytest.raises(UserError, match=r"at least 2 dimensions for context, got shape \(5,\)"):
        context_batch(torch.zeros(5), 2)
    with pytest.raises(UserError, match=r"expected \['a'\], got 'b'"):
        context_batch({"b": torch.zeros(5)}, {"a": 1})
    with pytest.raises(UserError, match="got list for a"):
        context_batch({"a": [1.0]}, 1)


def test_a_folded_context_is_in_the_order_of_a_folded_batch():
    context = {"a": torch.randn(3, 5), "b": torch.randn(2, 1)}
    ranks = {"a": 1, "b": 0}
    folded = fold_context(context, context_batch(context, ranks), ranks)
    assert folded["a"].shape == (6, 5) and folded["b"].shape == (6,)
    for first in range(2):
        for second in range(3):
            assert torch.equal(folded["a"][3 * first + second], context["a"][second])
            assert torch.equal(folded["b"][3 * first + second], context["b"][first, 0])
    assert fold_context(context, (2, 3)) is context


def test_an_empty_batch_has_an_empty_context():
    folded, context = fold_batch(torch.zeros(0, 3), 1, torch.zeros(0, 2))
    assert folded.shape == (0, 3) and context.shape == (0, 2)
    assert fold_batch(torch.zeros(0, 3), 1, torch.zeros(4, 2))[1].shape == (0, 2)
    with pytest.raises(UserError, match="expected a batch that divides 2 values, got 0"):
        fold_batch(torch.zeros(2, 3), 1, torch.zeros(0, 2))

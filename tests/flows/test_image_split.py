import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wavegen.errors import UserError
from wavegen.flows import ChannelSplit, CheckerboardSplit

SPLITS = [ChannelSplit(), CheckerboardSplit(), ChannelSplit().swapped, CheckerboardSplit().swapped]


@pytest.mark.parametrize("split", SPLITS, ids=repr)
@settings(deadline=None, max_examples=20)
@given(
    batch=st.lists(st.integers(0, 3), max_size=2),
    channels=st.integers(2, 5),
    cells=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_parts_are_told_beforehand_and_merge_exactly(split, batch, channels, cells):
    event = (channels, 2 * cells[0], 2 * cells[1])
    x = torch.randn(*batch, *event)
    kept, moved = split(x)
    assert (kept.shape, moved.shape) == split.shapes(x.shape)
    assert (kept.shape[len(batch) :], moved.shape[len(batch) :]) == split.shapes(event)
    assert torch.equal(split.merge(kept, moved), x)


def test_the_larger_part_of_an_odd_number_of_channels_is_kept():
    x = torch.arange(5.0).view(5, 1, 1)
    kept, moved = ChannelSplit()(x)
    assert (kept.flatten().tolist(), moved.flatten().tolist()) == ([0, 1, 2], [3, 4])


def test_kept_and_moved_are_the_colours_of_the_board():
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(4), indexing="ij")
    colour = ((rows + columns) % 2).expand(3, 6, 4)
    kept, moved = CheckerboardSplit()(colour)
    assert (kept == 0).all() and (moved == 1).all()


def test_channels_of_the_parts():
    image = torch.arange(16).view(1, 4, 4).repeat(2, 1, 1) + 100 * torch.arange(2).view(2, 1, 1)
    kept, moved = CheckerboardSplit()(image)
    # first all channels at their first position of the cell, then all at the second
    assert kept[:, 0, 0].tolist() == [0, 100, 5, 105]
    assert moved[:, 0, 0].tolist() == [1, 101, 4, 104]
    assert kept[0].tolist() == [[0, 2], [8, 10]]


def test_a_convolution_of_the_packed_image_is_one_filter_of_the_image_everywhere():
    """Translating the image by whole cells translates the parts, so one weight means one offset."""
    torch.manual_seed(0)
    convolution = nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular").double()
    split = CheckerboardSplit()

    def filtered(x):
        kept, moved = split(x)
        return split.merge(kept, convolution(kept))

    x = torch.randn(1, 1, 8, 6, dtype=torch.float64)
    moved_first = filtered(x.roll((2, -2), (-2, -1)))
    torch.testing.assert_close(moved_first, filtered(x).roll((2, -2), (-2, -1)), rtol=0, atol=1e-12)


def test_gradient_of_merge_goes_back_to_where_each_value_came_from():
    split = CheckerboardSplit()
    weight = torch.randn(2, 3, 4, 6)
    kept, moved = (part.requires_grad_() for part in split(torch.randn(2, 3, 4, 6)))
    (weight * split.merge(kept, moved)).sum().backward()
    expected_kept, expected_moved = split(weight)
    assert torch.equal(kept.grad, expected_kept) and torch.equal(moved.grad, expected_moved)


@pytest.mark.parametrize("shape", [(3, 5, 4), (3, 4, 5)])
def test_odd_sides_have_no_cells(shape):
    for refused in (
        lambda: CheckerboardSplit().shapes(shape),
        lambda: CheckerboardSplit()(torch.zeros(2, *shape)),
        lambda: CheckerboardSplit().swapped.shapes(shape),
    ):
        with pytest.raises(UserError, match=r"expected an even height and width, got shape \("):
            refused()


def test_one_channel_and_too_few_dimensions_are_refused():
    with pytest.raises(UserError, match=r"at least 2 channels to split, got shape \(1, 4, 4\)"):
        ChannelSplit().shapes((1, 4, 4))
    with pytest.raises(UserError, match=r"at least 3 dimensions, got shape \(4, 4\)"):
        CheckerboardSplit().shapes((4, 4))

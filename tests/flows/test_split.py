import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.flows import AlternatingSplit, HalfSplit

SPLITS = [HalfSplit(), AlternatingSplit(), HalfSplit().swapped, AlternatingSplit().swapped]


@pytest.mark.parametrize("split", SPLITS, ids=repr)
@settings(deadline=None, max_examples=20)
@given(batch=st.lists(st.integers(0, 3), max_size=2), features=st.integers(2, 9))
def test_parts_are_told_beforehand_and_merge_exactly(split, batch, features):
    x = torch.randn(*batch, features)
    kept, moved = split(x)
    assert (kept.shape, moved.shape) == split.shapes(x.shape)
    assert (kept.shape[len(batch) :], moved.shape[len(batch) :]) == split.shapes((features,))
    assert torch.equal(split.merge(kept, moved), x)


def test_which_features_are_kept():
    x = torch.arange(5)
    kept, moved = HalfSplit()(x)
    assert (kept.tolist(), moved.tolist()) == ([0, 1, 2], [3, 4])
    kept, moved = AlternatingSplit()(x)
    assert (kept.tolist(), moved.tolist()) == ([0, 2, 4], [1, 3])
    kept, moved = AlternatingSplit().swapped(x)
    assert (kept.tolist(), moved.tolist()) == ([1, 3], [0, 2, 4])


def test_swapping_twice_is_the_split_itself():
    split = HalfSplit()
    assert split.swapped.swapped is split
    assert split.swapped.event_dim == split.event_dim == 1


@pytest.mark.parametrize("split", SPLITS, ids=repr)
def test_one_feature_cannot_be_split(split):
    name = type(split.swapped if "Swapped" in repr(split) else split).__name__
    for refused in (lambda: split.shapes((1,)), lambda: split(torch.zeros(4, 1))):
        with pytest.raises(UserError, match=f"{name}: expected at least 2 features to split, got shape"):
            refused()
    with pytest.raises(UserError, match="at least 1 dimensions"):
        split.shapes(())

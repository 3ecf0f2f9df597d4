import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.flows import AlternatingSplit, HalfSplit, MaskSplit

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


@settings(deadline=None, max_examples=30)
@given(mask=st.lists(st.booleans(), min_size=2, max_size=7), swapped=st.booleans(), image=st.booleans())
def test_any_mask_splits_and_merges_exactly(mask, swapped, image):
    if all(mask) or not any(mask):
        with pytest.raises(UserError, match="a mask that keeps and moves entries"):
            MaskSplit(mask)
        return
    event_dim = 3 if image else 1
    x = torch.randn(2, len(mask), *([3, 2] if image else []))
    split = MaskSplit(mask, event_dim)
    split = split.swapped if swapped else split
    kept, moved = split(x)
    assert (kept.shape, moved.shape) == split.shapes(x.shape)
    assert torch.equal(split.merge(kept, moved), x)
    assert torch.equal(kept, x[:, torch.tensor(mask) != swapped])


def test_a_number_of_kept_features():
    kept, moved = HalfSplit(1)(torch.arange(4))
    assert (kept.tolist(), moved.tolist()) == ([0], [1, 2, 3])
    with pytest.raises(UserError, match="expected at least 4 features to split"):
        HalfSplit(3)(torch.arange(3))
    with pytest.raises(UserError, match="HalfSplit num_kept: expected at least 1, got 0"):
        HalfSplit(0)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(UserError, match=r"expected 3 entries in dimension −1, got shape \(2, 4\)"):
        MaskSplit([True, False, True])(torch.zeros(2, 4))

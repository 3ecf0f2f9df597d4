"""Image sets: published formats read byte for byte, splits without leaks, every failure named."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wavegen.data.images.image_set import PARTS, ImageSet, finish, hold_out
from wavegen.errors import UserError


@given(total=st.integers(2, 40), share=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_holding_out_loses_and_repeats_nothing_and_keeps_labels_with_their_images(total, share, seed):
    count = min(total - 1, max(1, round(share * total)))
    values, labels = torch.arange(total)[:, None].clone(), torch.arange(total)
    (rest, rest_labels), (held, held_labels) = hold_out(values, labels, count, seed=seed, source="x")
    assert (len(rest), len(held)) == (total - count, count)
    assert sorted(torch.cat([rest, held]).flatten().tolist()) == list(range(total))
    torch.testing.assert_close(rest[:, 0], rest_labels)
    torch.testing.assert_close(held[:, 0], held_labels)


def levels(*shape, high=4):
    return torch.randint(high, shape, dtype=torch.uint8)


def test_image_sets_refuse_what_does_not_fit():
    good = levels(5, 1, 4, 4)
    ImageSet(good, good, good, 4, "x")
    with pytest.raises(UserError, match="x: expected dev images as uint8"):
        ImageSet(good, good.float(), good, 4, "x")
    with pytest.raises(UserError, match="the test part is empty"):
        ImageSet(good, good, good[:0], 4, "x")
    with pytest.raises(UserError, match=r"expected dev images of shape \(1, 4, 4\) .* got \(1, 4, 5\)"):
        ImageSet(good, levels(5, 1, 4, 5), good, 4, "x")
    with pytest.raises(UserError, match="expected train levels 0 to 2, got 3"):
        ImageSet(torch.full((5, 1, 4, 4), 3, dtype=torch.uint8), good // 2, good // 2, 3, "x")
    labels = {part: torch.arange(5) for part in PARTS}
    with pytest.raises(UserError, match="expected train labels 0 to 2, got 0 to 4"):
        ImageSet(good, good, good, 4, "x", labels, ("a", "b", "c"))
    with pytest.raises(UserError, match="bits: expected 1 to 8 and images with 256 levels, got 5"):
        finish(ImageSet(good, good, good, 4, "x"), bits=5)
    with pytest.raises(UserError, match="padding: expected 0 or more"):
        finish(ImageSet(good, good, good, 4, "x"), padding=-1)

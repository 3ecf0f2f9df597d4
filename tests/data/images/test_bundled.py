import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from wavegen.data.images.bundled import digits, photo_crops
from wavegen.data.images.image_set import PARTS
from wavegen.errors import UserError

files = runpy.run_path(str(Path(__file__).parents[1] / "image_fixtures.py"))
parts, rows = (files[name] for name in ("parts", "rows"))


def test_digits_are_split_by_seed_with_seventeen_levels():
    data, again, other = digits(), digits(), digits(seed=1)
    assert [len(part) for part in parts(data)] == [1437, 180, 180]
    assert data.image_shape == (1, 8, 8) and data.num_levels == 17 and data.num_dimensions == 64
    assert int(data.train.max()) == 16 and data.num_classes == 10
    assert all(torch.equal(a, b) for a, b in zip(parts(data), parts(again), strict=True))
    assert not torch.equal(data.test, other.test)
    assert all(len(labels.unique()) == 10 for labels in data.labels.values())


def test_labels_stay_with_their_digits():
    from sklearn.datasets import load_digits

    bunch, data = load_digits(), digits(seed=3)
    known = dict(zip(rows(torch.from_numpy(bunch.images).byte()), bunch.target.tolist(), strict=True))
    for part in PARTS:
        expected = [known[row] for row in rows(getattr(data, part))]
        assert data.labels[part].tolist() == expected


def test_photo_crops_of_different_parts_share_no_pixel():
    """Painted photographs: where every pixel tells its place, crops tell theirs."""
    import sklearn.datasets

    row, column = np.mgrid[:427, :640]
    places = np.stack([row % 256, column % 256, 2 * (row // 256) + 8 * (column // 256)], -1).astype(np.uint8)

    class Bunch:
        images = [places, places + np.array([0, 0, 64], np.uint8)]

    original = sklearn.datasets.load_sample_images
    sklearn.datasets.load_sample_images = Bunch
    try:
        data = photo_crops(size=16, num_train=300, num_dev=60, num_test=60)
    finally:
        sklearn.datasets.load_sample_images = original
    seen = [set(map(tuple, part.permute(0, 2, 3, 1).reshape(-1, 3).tolist())) for part in parts(data)]
    assert [len(part) for part in parts(data)] == [300, 60, 60] and data.image_shape == (3, 16, 16)
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert all({code // 64 for _, _, code in part} == {0, 1} for part in seen), (
        "both photographs in each part"
    )


def test_photo_crops_are_of_the_real_photographs_and_reproducible():
    data = photo_crops(num_train=20, num_dev=4, num_test=4, bits=5)
    again = photo_crops(num_train=20, num_dev=4, num_test=4, bits=5)
    assert data.image_shape == (3, 32, 32) and data.num_levels == 32
    assert torch.equal(data.train, again.train) and len(data.train.unique()) > 20
    with pytest.raises(UserError, match="size: expected 1 to block = 96 pixels, got 97"):
        photo_crops(size=97)
    with pytest.raises(UserError, match="at least 3 blocks in 427 × 640 pixels, got 1 of 400"):
        photo_crops(block=400)

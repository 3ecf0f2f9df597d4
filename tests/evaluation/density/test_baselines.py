import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from wavegen.data.images.image_set import ImageSet, finish
from wavegen.data.tables import table
from wavegen.evaluation.density.baselines import crop, image_baselines, table_baselines

small_density = runpy.run_path(str(Path(__file__).with_name("small_density.py")))
image_set = small_density["image_set"]


def test_baselines_by_hand():
    train = torch.zeros(10, 1, 1, 2, dtype=torch.uint8)
    train[:, 0, 0, 1] = torch.tensor([0, 1] * 5, dtype=torch.uint8)
    data = ImageSet(train, train[:2], train[:2], 2, "x")
    values = image_baselines(data, data.test)
    first, second = -math.log2(10.5 / 11), 1.0
    assert values["independent_pixels"] == pytest.approx((first + second) / 2)
    assert values["equal_levels"] == 1.0


def test_baselines_of_a_table_by_hand(tmp_path):
    rng = np.random.default_rng(0)
    first = rng.normal(size=4000)
    np.savez(tmp_path / "a.npz", data=np.stack([first, 0.8 * first + 0.6 * rng.normal(size=4000)], 1))
    data = table(tmp_path / "a.npz")
    values = table_baselines(data, data.test)
    independent = math.log(2 * math.pi * math.e)
    assert values["independent_normals"] == pytest.approx(independent, abs=0.15)
    assert values["one_normal"] == pytest.approx(independent + math.log(0.6), abs=0.15)


def test_padding_counts_for_nothing():
    images = torch.arange(2 * 6 * 6).reshape(2, 1, 6, 6)
    assert torch.equal(crop(images, 2), images[:, :, 2:4, 2:4]) and crop(images, 0) is images
    bare = image_set(num_levels=2, shape=(1, 2, 2), labelled=False)
    padded = finish(bare, padding=3)
    assert image_baselines(padded, padded.test) == image_baselines(bare, bare.test)


def test_one_column_has_no_correlations(tmp_path):
    np.savez(tmp_path / "a.npz", data=np.random.default_rng(0).normal(size=(50, 1)))
    data = table(tmp_path / "a.npz")
    assert table_baselines(data, data.test).keys() == {"independent_normals"}


def test_columns_that_depend_on_each_other_leave_the_joint_normal_out(tmp_path):
    first = np.random.default_rng(0).normal(size=50)
    np.savez(tmp_path / "a.npz", data=np.stack([first, first], 1))
    data = table(tmp_path / "a.npz")
    assert math.isfinite(table_baselines(data, data.test)["independent_normals"])

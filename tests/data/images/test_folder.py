import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wavegen.data.images.folder import image_folder, list_images, read_images
from wavegen.data.images.image_set import PARTS
from wavegen.errors import UserError

files = runpy.run_path(str(Path(__file__).parents[1] / "image_fixtures.py"))
parts, rows = (files[name] for name in ("parts", "rows"))


def test_image_folder_with_sub_folders_as_labels(tmp_path):
    files["write_pngs"](tmp_path / "cats", 6, mode="L")
    files["write_pngs"](tmp_path / "dogs", 6, mode="L", seed=1)
    data = image_folder(tmp_path)
    assert [len(part) for part in parts(data)] == [10, 1, 1] and data.image_shape == (1, 8, 8)
    assert data.label_names == ("cats", "dogs")
    cats = set(rows(torch.from_numpy(files["images"](6, 8, 8))))
    for part in PARTS:
        for row, label in zip(rows(getattr(data, part)), data.labels[part], strict=True):
            assert (row in cats) == (int(label) == 0)


def test_a_mixture_of_grey_and_colour_becomes_colour(tmp_path):
    files["write_pngs"](tmp_path, 4, mode="L")
    Image.new("RGB", (8, 8), (10, 20, 30)).save(tmp_path / "x.png")
    Image.new("RGB", (8, 8), (10, 20, 30)).save(tmp_path / "y.jpg")
    data = image_folder(tmp_path)
    assert data.image_shape == (3, 8, 8) and data.labels is None


def test_image_folder_failures(tmp_path):
    with pytest.raises(UserError, match="nowhere is not a folder"):
        image_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match="contains no images, expected PNG or JPEG files"):
        image_folder(tmp_path)
    files["write_pngs"](tmp_path, 4)
    (tmp_path / "a.png").write_bytes(b"\x89PNG and then nothing")
    with pytest.raises(UserError, match="a.png cannot be read as an image"):
        image_folder(tmp_path)
    Image.new("RGB", (9, 8)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"of one size, got 8×8 pixels in .*000.png and 9×8 in .*a.png"):
        image_folder(tmp_path)
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="a.png: expected an image of 8 bits per channel, got .*I;16"):
        image_folder(tmp_path)


def test_a_truncated_png_is_named(tmp_path):
    files["write_pngs"](tmp_path, 4, size=64)
    path = tmp_path / "002.png"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match="002.png cannot be read as an image"):
        image_folder(tmp_path)


def test_images_are_listed_by_name_below_all_folders(tmp_path):
    files["write_pngs"](tmp_path / "b", 2)
    files["write_pngs"](tmp_path / "a", 1)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "c.JPG").write_bytes(b"")
    names = [str(path.relative_to(tmp_path)) for path in list_images(tmp_path)]
    assert names == ["a/000.png", "b/000.png", "b/001.png", "c.JPG"]


def test_pixels_are_read_in_the_order_of_the_paths(tmp_path):
    files["write_pngs"](tmp_path, 3)
    expected = files["images"](3, 8, 8, 3).transpose(0, 3, 1, 2)
    paths = list_images(tmp_path)
    np.testing.assert_array_equal(read_images(paths[::-1]).numpy(), expected[::-1])


def test_images_beside_sub_folders_have_no_labels(tmp_path):
    files["write_pngs"](tmp_path / "cats", 5)
    files["write_pngs"](tmp_path, 5, seed=1)
    assert image_folder(tmp_path).labels is None


def test_an_image_of_more_pixels_than_pillow_allows_is_refused_before_it_is_read(tmp_path, monkeypatch):
    files["write_pngs"](tmp_path, 10, mode="L")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 31)  # an error from twice as many; the images have 64
    with pytest.raises(
        UserError, match=r"\.png cannot be read as an image \(Image size \(64 pixels\) exceeds"
    ):
        image_folder(tmp_path)

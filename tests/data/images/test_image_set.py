"""Image sets: published formats read byte for byte, splits without leaks, every failure named."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from wavegen.data.context import LabelContext, NoContext
from wavegen.data.images.bundled import digits, photo_crops
from wavegen.data.images.folder import image_folder
from wavegen.data.images.idx import idx, mnist
from wavegen.data.images.image_set import PARTS, ImageSet, finish, hold_out
from wavegen.data.images.published import cifar10, downsampled_imagenet
from wavegen.errors import UserError

files = runpy.run_path(str(Path(__file__).parents[1] / "image_fixtures.py"))


def parts(data):
    return [getattr(data, part) for part in PARTS]


def rows(tensor):
    return [tuple(row.flatten().tolist()) for row in tensor]


@given(total=st.integers(2, 40), share=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_holding_out_loses_and_repeats_nothing_and_keeps_labels_with_their_images(total, share, seed):
    count = min(total - 1, max(1, round(share * total)))
    values, labels = torch.arange(total)[:, None].clone(), torch.arange(total)
    (rest, rest_labels), (held, held_labels) = hold_out(values, labels, count, seed=seed, source="x")
    assert (len(rest), len(held)) == (total - count, count)
    assert sorted(torch.cat([rest, held]).flatten().tolist()) == list(range(total))
    torch.testing.assert_close(rest[:, 0], rest_labels)
    torch.testing.assert_close(held[:, 0], held_labels)


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


@pytest.mark.parametrize(("suffix", "mark"), [("", "-"), (".gz", "-"), ("", ".")])
def test_idx_files_as_published(tmp_path, suffix, mark):
    files["write_idx"](tmp_path, suffix=suffix, mark=mark)
    data = idx(tmp_path, num_dev=5)
    assert [len(part) for part in parts(data)] == [25, 5, 12] and data.image_shape == (1, 8, 8)
    expected = files["images"](30, 8, 8, seed=0)
    assert sorted(rows(torch.cat([data.train, data.dev]))) == sorted(rows(torch.from_numpy(expected)))
    where = {row: number for number, row in enumerate(rows(torch.from_numpy(expected)))}
    for part in ("train", "dev"):
        assert [where[row] % 10 for row in rows(getattr(data, part))] == data.labels[part].tolist()
    torch.testing.assert_close(data.test[:, 0], torch.from_numpy(files["images"](12, 8, 8, seed=1)))


def test_idx_failures_name_the_file(tmp_path):
    with pytest.raises(UserError, match="has no train-images-idx3-ubyte"):
        idx(tmp_path)
    files["write_idx"](tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte: expected 1920 values .* got 1919"):
        idx(tmp_path)
    path.write_bytes(b"\x89PNG" + content)
    with pytest.raises(UserError, match="expected the IDX header 00 00 08 03, got 89 50 4e 47"):
        idx(tmp_path)


def test_mnist_npz_is_shuffled_reduced_and_padded(tmp_path):
    path = tmp_path / "mnist.npz"
    files["write_mnist"](path)
    data = mnist(path, num_dev=6, bits=3, padding=2)
    assert data.image_shape == (1, 12, 12) and data.num_levels == 8 and data.num_dimensions == 64
    assert data.labels["dev"].tolist() != sorted(data.labels["dev"].tolist())
    assert int(data.train[:, :, :2].max()) == 0 and int(data.train.max()) == 7
    expected = torch.from_numpy(files["images"](12, 8, 8, seed=1)) // 32
    torch.testing.assert_close(data.test[:, 0, 2:-2, 2:-2], expected)


def test_real_mnist():
    path = Path("../shared/data/mnist.npz")
    if not path.is_file():
        pytest.skip("MNIST is not on this machine")
    data = mnist(path)
    assert [len(part) for part in parts(data)] == [50000, 10000, 10000] and data.num_dimensions == 784
    counts = data.labels["dev"].bincount(minlength=10)
    assert counts.min() > 800, "dev holds every class"


def test_npz_failures_name_file_and_array(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(UserError, match="a.npz does not exist"):
        mnist(path)
    np.savez(path, x_train=np.zeros(3))
    with pytest.raises(UserError, match="has no array 'y_train'.* got x_train"):
        mnist(path)
    pickled = np.array([{}], dtype=object)
    np.savez(path, x_train=pickled, y_train=pickled, x_test=pickled, y_test=pickled)
    with pytest.raises(UserError, match="cannot be read as NPZ arrays of plain numbers"):
        mnist(path)
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="a.npz cannot be read as NPZ"):
        mnist(path)


def test_cifar10_binary_version(tmp_path):
    files["write_cifar10"](tmp_path / "cifar-10-batches-bin")
    data = cifar10(tmp_path, num_dev=4)
    assert [len(part) for part in parts(data)] == [36, 4, 8] and data.label_names[3] == "cat"
    expected = torch.from_numpy(files["images"](8, 3 * 1024, seed=5)).view(8, 3, 32, 32)
    torch.testing.assert_close(data.test, expected)
    assert data.labels["test"].tolist() == list(range(8))
    path = tmp_path / "cifar-10-batches-bin" / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="test_batch.bin: expected whole records of 3073 bytes"):
        cifar10(tmp_path)


def test_the_pickled_cifar10_is_refused_with_the_reason(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"")
    with pytest.raises(
        UserError, match="can run untrusted code when read; use the folder of the binary version"
    ):
        cifar10(tmp_path)


def test_downsampled_imagenet_npz(tmp_path):
    files["write_imagenet_npz"](tmp_path / "Imagenet32_train_npz", 8)
    data = downsampled_imagenet(tmp_path, size=8, num_dev=3)
    assert [len(part) for part in parts(data)] == [13, 3, 8] and data.image_shape == (3, 8, 8)
    expected = torch.from_numpy(files["images"](8, 192, seed=2)).view(8, 3, 8, 8)
    torch.testing.assert_close(data.test, expected)
    assert data.labels["test"].tolist() == list(range(8))
    few = downsampled_imagenet(tmp_path, size=8, num_dev=3, max_train_images=11)
    assert len(few.train) == 8
    with pytest.raises(UserError, match=r"expected shape \(N, 3072\) for 32×32 pixels, got \(8, 192\)"):
        downsampled_imagenet(tmp_path, size=32)
    with pytest.raises(UserError, match="is not downsampled ImageNet"):
        downsampled_imagenet(tmp_path / "nowhere", size=8)


def test_downsampled_imagenet_png(tmp_path):
    files["write_pngs"](tmp_path / "train_8x8", 9)
    files["write_pngs"](tmp_path / "valid_8x8", 4, seed=1)
    data = downsampled_imagenet(tmp_path, size=8, num_dev=2, bits=5)
    assert [len(part) for part in parts(data)] == [7, 2, 4] and data.labels is None and data.num_levels == 32


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
    assert LabelContext().num_features(data) == 2
    encoded = LabelContext().encode(torch.tensor([1, 0]), 2)
    torch.testing.assert_close(encoded, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))


def test_a_mixture_of_grey_and_colour_becomes_colour(tmp_path):
    files["write_pngs"](tmp_path, 4, mode="L")
    Image.new("RGB", (8, 8), (10, 20, 30)).save(tmp_path / "x.png")
    Image.new("RGB", (8, 8), (10, 20, 30)).save(tmp_path / "y.jpg")
    data = image_folder(tmp_path)
    assert data.image_shape == (3, 8, 8) and data.labels is None
    assert NoContext().num_features(data) == 0 and NoContext().encode(None, 0) is None
    with pytest.raises(UserError, match="expected labelled data, but .* has no labels"):
        LabelContext().num_features(data)


def test_image_folder_failures(tmp_path):
    with pytest.raises(UserError, match="nowhere is not a folder"):
        image_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match="contains no images, expected PNG or JPEG"):
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

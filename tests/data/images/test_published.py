import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from wavegen.data.images.published import (
    cifar10,
    downsampled_imagenet,
    npz_shape,
    read_cifar10,
    read_imagenet_batches,
)
from wavegen.errors import UserError

files = runpy.run_path(str(Path(__file__).parents[1] / "image_fixtures.py"))
parts = files["parts"]


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


def test_labels_and_pixels_of_a_record_lie_as_published(tmp_path):
    """One byte of label; then rows of red, of green, of blue."""
    pixels = np.zeros((3, 32, 32), np.uint8)
    pixels[2, 5, 7] = 200
    (tmp_path / "a.bin").write_bytes(bytes([9]) + pixels.tobytes())
    images, labels = read_cifar10(tmp_path / "a.bin")
    assert labels.tolist() == [9] and images.shape == (1, 3, 32, 32)
    assert images.nonzero().tolist() == [[0, 2, 5, 7]]


def test_the_shape_of_an_array_is_read_from_its_header_alone(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("data.npy", "w") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (2**40, 192)}
        np.lib.format.write_array_header_1_0(file, header)
    assert npz_shape(path, "data") == (2**40, 192)
    with pytest.raises(UserError, match="has no array 'labels', got data"):
        npz_shape(path, "labels")


def test_damage_anywhere_in_a_header_is_named(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, data=np.zeros((3, 4), np.uint8))
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            npz_shape(path, "data")
        except UserError as error:
            assert "a.npz" in str(error)


def test_batches_fill_one_tensor_and_labels_count_from_zero(tmp_path):
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for number, path in enumerate(paths):
        data = np.full((3, 12), number, np.uint8)
        np.savez(path, data=data, labels=np.arange(1, 4) + 10 * number)
    images, labels = read_imagenet_batches(paths, 2, None)
    assert images.shape == (6, 3, 2, 2) and labels.tolist() == [0, 1, 2, 10, 11, 12]
    images, labels = read_imagenet_batches(paths, 2, 4)
    assert images.flatten(1)[:, 0].tolist() == [0, 0, 0, 1] and labels.tolist() == [0, 1, 2, 10]
    np.savez(paths[1], data=np.zeros((3, 12)), labels=np.arange(3))
    with pytest.raises(UserError, match="b.npz: expected uint8 data with one whole label each, got float64"):
        read_imagenet_batches(paths, 2, None)

import gzip
import runpy
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wavegen.data.images.idx import idx, mnist, read_idx
from wavegen.errors import UserError

files = runpy.run_path(str(Path(__file__).parents[1] / "image_fixtures.py"))
parts, rows = (files[name] for name in ("parts", "rows"))


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


@given(shape=st.lists(st.integers(0, 3), min_size=1, max_size=3))
def test_an_idx_file_is_its_header_and_its_values(shape):
    values = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    header = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(header + values.tobytes())
        found = read_idx(path, len(shape))
    assert found.dtype == torch.uint8
    np.testing.assert_array_equal(found.numpy(), values)


def test_a_damaged_archive_and_labels_of_another_number_are_named(tmp_path):
    files["write_idx"](tmp_path, suffix=".gz")
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(UserError, match="t10k-labels-idx1-ubyte.gz cannot be read"):
        idx(tmp_path)
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 7])))
    with pytest.raises(UserError, match="expected a label for each of the 12 test images, got 2"):
        idx(tmp_path)


def test_labels_may_be_missing(tmp_path):
    files["write_idx"](tmp_path)
    for path in tmp_path.glob("*labels*"):
        path.unlink()
    assert idx(tmp_path, num_dev=5).labels is None


def test_arrays_of_another_type_or_length_are_named(tmp_path):
    images, labels = np.zeros((4, 8, 8), np.uint8), np.zeros(4, np.int64)
    whole = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    for name, array, reason in (
        ("x_train", images.astype(np.float32), "x_train: expected uint8 of shape"),
        ("x_test", images[0], "x_test: expected uint8 of shape"),
        ("y_test", labels[1:], "y_test: expected 4 whole numbers"),
        ("y_train", labels + 0.5, "y_train: expected 4 whole numbers"),
    ):
        np.savez(tmp_path / "a.npz", **{**whole, name: array})
        with pytest.raises(UserError, match=reason):
            mnist(tmp_path / "a.npz")

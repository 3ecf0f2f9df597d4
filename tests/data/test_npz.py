import zipfile

import numpy as np
import pytest

from wavegen.data.npz import open_npz, read_npz
from wavegen.errors import UserError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.npz"


def test_the_named_arrays_are_read_and_no_others(path):
    x, y = np.arange(6, dtype=np.int16).reshape(2, 3), np.array([0.5, 1.5])
    np.savez_compressed(path, x=x, y=y, z=np.zeros(2))
    found = read_npz(path, ["y", "x"])
    assert list(found) == ["y", "x"]
    np.testing.assert_array_equal(found["x"], x, strict=True)
    np.testing.assert_array_equal(found["y"], y, strict=True)


def test_a_missing_array_is_named_with_what_is_there(path):
    np.savez(path, x=np.zeros(2), z=np.zeros(2))
    with pytest.raises(UserError, match="a.npz has no array 'y', expected x, y, got x, z"):
        read_npz(path, ["x", "y"])


def test_an_empty_archive_has_none(path):
    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.raises(UserError, match="has no array 'x', expected x, got none"):
        read_npz(path, ["x"])


def test_pickles_are_never_read(path):
    np.savez(path, x=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="cannot be read as NPZ arrays of plain numbers"):
        read_npz(path, ["x"])


def test_a_file_of_one_array_is_told_apart(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(UserError, match="contains a single array, expected an NPZ archive of named arrays"):
        open_npz(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(UserError, match="a.npz does not exist, expected an NPZ file"):
        open_npz(path)


@pytest.mark.parametrize("compress", [False, True])
def test_damage_anywhere_is_a_failure_that_names_the_file(path, compress):
    rng = np.random.default_rng(0)
    save = np.savez_compressed if compress else np.savez
    save(path, x=rng.normal(size=50))
    whole = path.read_bytes()
    for place in range(0, len(whole), 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_npz(path, ["x"])
        except UserError as error:
            assert "a.npz" in str(error)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="a.npz cannot be read as NPZ"):
        read_npz(path, ["x"])

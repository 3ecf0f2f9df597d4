"""The one way to write a file: whole or not at all, and in words that a user understands."""

import errno
import os
import stat

import pytest

from wavegen.errors import UserError
from wavegen.files import atomic_path, write_bytes


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_for_all_to_read(tmp_path):
    path = tmp_path / "some" / "folder" / "a.bin"
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent and temporary.name != path.name
        temporary.write_bytes(b"half")
        assert not path.exists()
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole" and names(path.parent) == ["a.bin"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    write_bytes(str(path), b"new")
    assert path.read_bytes() == b"new" and names(path.parent) == ["a.bin"]


def test_a_failure_of_the_block_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and names(tmp_path) == ["a.bin"]


def test_a_full_disk_is_said_and_can_be_recognised(tmp_path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with pytest.raises(UserError) as caught, atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(temporary))
    assert str(caught.value) == f"cannot write {path}: {os.strerror(errno.ENOSPC)}"
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert path.read_bytes() == b"old" and names(tmp_path) == ["a.bin"]


def test_places_that_cannot_be_written_to_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "a.bin", tmp_path / "folder"):
        with pytest.raises(UserError, match=f"cannot write {path}"):
            write_bytes(path, b"")
    assert names(tmp_path) == ["file", "folder"]

"""The one way to write a file: whole or not at all, and in words that a user understands."""

import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from wavegen.errors import UserError
from wavegen.files import atomic_path, write_bytes


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "some" / "folder" / "a.bin"
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent and temporary.name != path.name
        temporary.write_bytes(b"half")
        assert not path.exists()
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole" and names(path.parent) == ["a.bin"]
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


@pytest.mark.parametrize(("umask", "permissions"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_permissions_of_the_umask(tmp_path, umask, permissions):
    before = os.umask(umask)
    try:
        write_bytes(tmp_path / "a.bin", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == permissions


@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o755])
def test_a_replaced_file_keeps_its_permissions(tmp_path, permissions):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    path.chmod(permissions)
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
        assert stat.S_IMODE(temporary.stat().st_mode) & ~permissions == 0  # nor may more read it meanwhile
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == permissions


def test_a_link_stays_and_its_file_is_replaced_in_one_step(tmp_path):
    (tmp_path / "there").mkdir()
    target, link, second = tmp_path / "there" / "a.bin", tmp_path / "link", tmp_path / "second"
    target.write_bytes(b"old")
    link.symlink_to("there/a.bin")
    second.symlink_to(link)
    with target.open("rb") as reader:
        write_bytes(second, b"new")
        assert reader.read() == b"old"
    assert second.readlink() == link and str(link.readlink()) == "there/a.bin"
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["link", "second", "there"] and names(target.parent) == ["a.bin"]


def test_a_link_to_nothing_makes_what_it_names(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("not/there/a.bin")
    write_bytes(link, b"new")
    assert link.is_symlink() and (tmp_path / "not" / "there" / "a.bin").read_bytes() == b"new"
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(UserError, match=f"cannot write {tmp_path / 'one'}: {os.strerror(errno.ELOOP)}"):
        write_bytes(tmp_path / "one", b"new")


def test_a_pipe_stays_a_pipe_and_carries_the_content(tmp_path):
    path, received = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: received.append(path.read_bytes()))
    reader.start()
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"content")
        assert received == []
    reader.join(10)
    assert received == [b"content"] and stat.S_ISFIFO(path.stat().st_mode) and names(tmp_path) == ["pipe"]


def test_a_device_is_written_to(tmp_path):
    """A terminal, whose folder takes no other files: a failure does no harm to the machine."""
    master, slave = os.openpty()
    device = os.ttyname(slave)
    link = tmp_path / "link"
    link.symlink_to(device)
    try:
        for path in (device, link):
            write_bytes(path, b"content")
            assert os.read(master, 100) == b"content"
        assert stat.S_ISCHR(os.stat(device).st_mode) and str(link.readlink()) == device
    finally:
        os.close(master)
        os.close(slave)


def test_a_socket_stays_a_socket(tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        with pytest.raises(UserError, match=f"cannot write {path}"):
            write_bytes(path, b"content")
    assert stat.S_ISSOCK(path.stat().st_mode) and names(tmp_path) == ["socket"]


@pytest.mark.parametrize("to", ["pipe", "file"])
@pytest.mark.parametrize("name", ["/proc/self/fd/1", "stdout"])
def test_an_open_file_is_written_to(tmp_path, to, name):
    """``/dev/stdout`` is a link to whatever the process writes to: neither may be replaced."""
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")
    code = f"from wavegen.files import write_bytes; write_bytes({name!r}, b'content')"
    command = [sys.executable, "-c", code]
    if to == "pipe":
        assert subprocess.run(command, check=True, capture_output=True, cwd=tmp_path).stdout == b"content"
    else:
        with (tmp_path / "out").open("wb") as file:
            subprocess.run(command, check=True, stdout=file, cwd=tmp_path)
            assert os.path.samestat(os.fstat(file.fileno()), (tmp_path / "out").stat())
        assert (tmp_path / "out").read_bytes() == b"content"
    assert (tmp_path / "stdout").is_symlink() and set(names(tmp_path)) <= {"out", "stdout"}


@contextmanager
def without_rights():
    """As a user who owns nothing; root is refused nothing."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_in_a_folder_that_may_not_be_changed_is_written_in_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # others may not look into the folders above
    for name, permissions in (("open.bin", 0o666), ("closed.bin", 0o444)):
        (tmp_path / name).write_bytes(b"old")
        (tmp_path / name).chmod(permissions)
    tmp_path.chmod(0o555)
    try:
        with without_rights():
            write_bytes("open.bin", b"new")
            for name in ("closed.bin", "none.bin"):
                with pytest.raises(UserError, match=f"cannot write {name}: {os.strerror(errno.EACCES)}"):
                    write_bytes(name, b"new")
    finally:
        tmp_path.chmod(0o755)
    assert (tmp_path / "open.bin").read_bytes() == b"new"
    assert (tmp_path / "closed.bin").read_bytes() == b"old" and names(tmp_path) == ["closed.bin", "open.bin"]


def test_a_name_as_long_as_the_file_system_allows(tmp_path):
    path = tmp_path / ("a" * 255)
    write_bytes(path, b"content")
    assert path.read_bytes() == b"content"

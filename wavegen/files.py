"""Writes files atomically; devices and pipes receive the finished content."""

import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wavegen.errors import UserError

LEFT_OVERS = ".wavegen-*.tmp"
"""Pattern of the names of temporary files, which a killed process does not delete."""

_MOST_LINKS = 40
"""Maximum number of symbolic links that Linux follows for one name."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary file to write to; ``path`` gets its content when the block ends without an exception.

    A regular file is replaced in one step and keeps its permissions. A new file gets the permissions of the
    umask, and missing folders are created. If ``path`` is a symbolic link, the file that it points to is
    replaced or created. If it is a device, a pipe or an open file (``/dev/stdout``), the finished content is
    copied into it. The same holds for a writable file in a folder that is not writable; then the write is not
    atomic if the disk is full.

    If the block fails, the temporary file is deleted and the content of ``path`` is unchanged.

    Raises:
        UserError: for any OSError (no permission, disk full), which is its cause; names ``path``.
    """
    path = Path(path)
    try:
        target = _followed(path)
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with _replacing(target, mode) if _is_replaced(target, mode) else _copying(target) as temporary:
            yield temporary
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write the content atomically. Raises UserError as :func:`atomic_path` does."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _followed(path: Path) -> Path:
    """The target of the links, which need not exist; links in /proc are open files and are not followed."""
    for _ in range(_MOST_LINKS):
        if not path.is_symlink() or path.parent.resolve().is_relative_to("/proc"):
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _is_replaced(target: Path, mode: int | None) -> bool:
    """Whether a new file replaces the target: a regular or missing file in a writable folder."""
    if mode is None:
        return True
    if target.is_symlink() or not stat.S_ISREG(mode):
        return False
    effective = os.access in os.supports_effective_ids
    may_write = [os.access(place, os.W_OK, effective_ids=effective) for place in (target.parent, target)]
    return may_write != [False, True]


@contextmanager
def _replacing(target: Path, mode: int | None) -> Iterator[Path]:
    """A new file in the same folder, which is renamed to ``target`` at the end."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / LEFT_OVERS.replace("*", secrets.token_hex(8))
    # A file that replaces another one stays private until then; for a new file the umask applies to 666.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
    try:
        permissions = os.fstat(handle).st_mode if mode is None else mode
        os.close(handle)
        yield temporary
        temporary.chmod(permissions & 0o777)
        temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def _copying(target: Path) -> Iterator[Path]:
    """A file in a temporary folder, whose content is copied into ``target`` at the end."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "content"
        temporary.touch()
        yield temporary
        with temporary.open("rb") as content, target.open("wb") as file:
            shutil.copyfileobj(content, file)

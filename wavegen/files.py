"""Files are written whole or not at all; what is no regular file is written through to."""

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
"""Names of unfinished files, which a killed process leaves behind, as a pattern."""

_MOST_LINKS = 40
"""Symbolic links that Linux follows for one name."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary file to write to; ``path`` gets its content once the block has ended well.

    A regular file is replaced in one step and keeps its permissions; a new one gets those of the umask, and
    missing folders are made. A symbolic link stays: the file that it leads to is replaced, or made. A device,
    a pipe or an open file (``/dev/stdout``) stays as well, and the finished content is copied into it. So is
    a file that may be written to in a folder that may not: then a full disk can tear it.

    Where the block fails the temporary file goes, and what ``path`` held stays.

    Raises:
        UserError: naming ``path`` and the reason, for any OSError (no right, no room), which is its cause.
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
    """The whole content or the old file. Raises UserError as :func:`atomic_path` does."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _followed(path: Path) -> Path:
    """What the links lead to, whether it is there or not; the links of /proc name open files and stay."""
    for _ in range(_MOST_LINKS):
        if not path.is_symlink() or path.parent.resolve().is_relative_to("/proc"):
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _is_replaced(target: Path, mode: int | None) -> bool:
    """Whether a new file takes the name: of a regular file or of none, in a folder that may be changed."""
    if mode is None:
        return True
    if target.is_symlink() or not stat.S_ISREG(mode):
        return False
    effective = os.access in os.supports_effective_ids
    may_write = [os.access(place, os.W_OK, effective_ids=effective) for place in (target.parent, target)]
    return may_write != [False, True]


@contextmanager
def _replacing(target: Path, mode: int | None) -> Iterator[Path]:
    """A new file in the same folder, which takes the name of ``target`` in the end."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / LEFT_OVERS.replace("*", secrets.token_hex(8))
    # Whoever may not read what is replaced must not read this meanwhile; the umask acts on new files' 666.
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
    """A file elsewhere, whose content goes into what stands at ``target`` in the end."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "content"
        temporary.touch()
        yield temporary
        with temporary.open("rb") as content, target.open("wb") as file:
            shutil.copyfileobj(content, file)

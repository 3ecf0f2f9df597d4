"""One process at a time prepares a corpus: two trainings or two nodes may need the same one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from wavegen.errors import UserError

_POLL_S = 0.5


@contextmanager
def exclusively(directory: Path) -> Iterator[bool]:
    """Locks the folder of a corpus, which need not exist; yields True if it had to wait for another process.

    The lock is a file beside the folder. The system releases it when its process ends, however it ends.

    Raises:
        UserError: if the file cannot be made.
    """
    path = directory.with_name(f"{directory.name}.lock")
    lock = FileLock(path)
    waited = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            waited = True
            print(f"another process prepares {directory}; waiting for it", flush=True)
            lock.acquire(poll_interval=_POLL_S)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield waited
    finally:
        path.unlink(missing_ok=True)  # before its release, so that no other process's file is removed
        lock.release()

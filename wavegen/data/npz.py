"""Reads untrusted NPZ archives: nothing is unpickled, and every failure names the file."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wavegen.errors import UserError

# RuntimeError: encrypted, or compressed as this Python cannot read
UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError, RuntimeError)


def read_npz(path: str | Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads the named arrays of an NPZ archive.

    Raises:
        UserError: if the file is missing or corrupt, lacks an array, or contains a pickled one.
    """
    try:
        with open_npz(path) as archive:
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise UserError(
                    f"{path} has no array '{missing[0]}', expected {', '.join(names)}, got "
                    f"{', '.join(archive.files) or 'none'}"
                )
            return {name: archive[name] for name in names}
    except UNREADABLE as error:
        raise UserError(f"{path} cannot be read as NPZ arrays of plain numbers ({error})") from error


def open_npz(path: str | Path) -> np.lib.npyio.NpzFile:
    """Opens an archive. Raises ``UserError`` if the file is missing or not an NPZ archive."""
    if not Path(path).is_file():
        raise UserError(f"{path} does not exist, expected an NPZ file")
    try:
        archive = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise UserError(f"{path} cannot be read as NPZ ({error})") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise UserError(f"{path} contains a single array, expected an NPZ archive of named arrays")
    return archive

"""SHA-256 sums of a voice's weights: a file ``SHA256SUMS`` as ``sha256sum -c`` reads it.

A float with a flipped bit is a float, so damage in the weights has no other sign. Text files are not listed:
their readers check them, and a user may change them. A sum tells of damage. It is no protection against
someone who writes the weights, because the same person can write the sums.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from wavegen.errors import UserError
from wavegen.files import write_bytes

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")  # the star means "read as binary", which is the same on Linux
LARGEST_BYTES = 2**16  # three lines have 300


def write_sums(folder: Path, sums: Mapping[str, str]) -> Path:
    """Write file name → SHA-256 in hexadecimal digits as ``folder/SHA256SUMS``, and return its path."""
    path = folder / SUMS
    write_bytes(path, "".join(f"{value}  {name}\n" for name, value in sorted(sums.items())).encode())
    return path


def check_sum(path: Path) -> None:
    """Compare a file with its line in the ``SHA256SUMS`` of its folder; without such a line, accept it.

    Runs, and voices that earlier versions packed, have no sums. The sums need not be trusted: their file is
    read up to a limit, and the names in it are only compared.

    Raises:
        UserError: if the file has another sum, or the sums cannot be read; names the file.
    """
    source = path.parent / SUMS
    try:
        with source.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        lines = content.decode("utf-8").splitlines()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise UserError(f"{source} cannot be read ({error}), expected SHA-256 sums") from error
    if len(content) > LARGEST_BYTES:
        raise UserError(
            f"{source} is larger than {LARGEST_BYTES} bytes, expected a line for each weights file"
        )
    expected = set()
    for number, line in enumerate(lines, start=1):
        found = LINE.fullmatch(line)
        if found is None:
            raise UserError(
                f"{source}, line {number}: expected a SHA-256 sum and a file name, got {line[:80]!r}"
            )
        if found[2] == path.name:
            expected.add(found[1])
    if expected and expected != {got := _sha256(path)}:
        raise UserError(
            f"{path} is damaged or was replaced: its SHA-256 sum is {got}, but {source} expects "
            f"{min(expected)}"
        )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error

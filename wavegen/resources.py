"""Finds ``configs/`` and ``recipes/`` in a checkout and in an installed wheel."""

from pathlib import Path

from wavegen.errors import UserError

PACKAGE_DIRECTORY = Path(__file__).resolve().parent


def resource_directory(name: str, *, package_directory: Path = PACKAGE_DIRECTORY) -> Path:
    """The directory ``name`` ("configs" or "recipes") of this installation of wavegen.

    A wheel has it inside the package, as ``wavegen/_share/<name>``; a checkout has it beside the package. The
    former is tried first, because ``site-packages`` may contain another directory of that name.

    Raises:
        UserError: if neither exists.
    """
    candidates = (package_directory / "_share" / name, package_directory.parent / name)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise UserError(
        f"this installation of wavegen has no {name}/: expected {candidates[0]} or {candidates[1]}; "
        "install wavegen again"
    )

"""Finds ``configs/`` and ``recipes/``, in a checkout and in an installed wheel alike."""

from pathlib import Path

from wavegen.errors import UserError

PACKAGE_DIRECTORY = Path(__file__).resolve().parent


def resource_directory(name: str, *, package_directory: Path = PACKAGE_DIRECTORY) -> Path:
    """Returns the directory ``name`` ("configs" or "recipes") that belongs to this very wavegen.

    A wheel carries it inside the package, as ``wavegen/_share/<name>``; a checkout has it beside the
    package. The packaged one is looked for first: beside an installed package lies whatever else
    is in ``site-packages``.

    Raises:
        UserError: neither exists.
    """
    candidates = (package_directory / "_share" / name, package_directory.parent / name)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise UserError(
        f"this installation of wavegen has no {name}/: looked for {candidates[0]} and {candidates[1]}; "
        "install it again"
    )

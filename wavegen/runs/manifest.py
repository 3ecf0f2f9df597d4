"""What a run folder says of itself: the models in it, and the facts that it takes to use them.

``manifest.json`` holds ``format``, ``models`` (each model's configuration by name) and facts: of a voice its
sample rate, feature encoder, front end and prosody. It may come from a stranger; whoever reads a part of it
checks that part.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wavegen.errors import UserError
from wavegen.files import write_bytes

MANIFEST = "manifest.json"
FORMAT_VERSION = 2


def write_manifest(run: Path, models: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write the manifest; models and facts that are there already are kept beside the new ones."""
    path = run / MANIFEST
    before = read_manifest(run) if path.exists() else {"models": {}}
    merged = {**before, "format": FORMAT_VERSION, **facts, "models": {**before["models"], **models}}
    write_bytes(path, json.dumps(merged, indent=1, ensure_ascii=False).encode())


def read_manifest(run: Path) -> dict[str, Any]:
    """The manifest's content, of which ``format`` and ``models`` are checked.

    Raises:
        UserError: where there is no run folder, or no manifest of this format in it.
    """
    path = run / MANIFEST
    if wrong := what_is_no_folder(run):
        raise UserError(f"{run} {wrong}; train a voice with 'wavegen distill'")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{run} is not the folder of a trained model: {path} is missing; train a voice with "
            "'wavegen distill'"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT_VERSION:
        got = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise UserError(f"{path} has format {got!r}, expected {FORMAT_VERSION}")
    if not isinstance(manifest.get("models"), dict):
        raise UserError(f"{path} has no valid entry 'models', expected dict")
    return manifest


def what_is_no_folder(run: Path) -> str | None:
    """What to say of a path that is given for a run folder and is none; None for a folder."""
    if run.is_dir():
        return None
    return "is a file, not a run folder" if run.exists() else "does not exist, expected a run folder"

"""Reads and writes the manifest of a run folder: its models' configurations and the facts to use them.

``manifest.json`` contains ``format``, ``models`` (each model's configuration by name) and facts: for a voice
its sample rate, feature encoder, front end and prosody. It need not be trusted: each part is checked by the
code that reads it.
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
    """Write the manifest; existing models and facts remain beside the new ones."""
    path = run / MANIFEST
    before = read_manifest(run) if path.exists() else {"models": {}}
    merged = {**before, "format": FORMAT_VERSION, **facts, "models": {**before["models"], **models}}
    write_bytes(path, json.dumps(merged, indent=1, ensure_ascii=False).encode())


def read_manifest(run: Path) -> dict[str, Any]:
    """The manifest's content; only ``format`` and ``models`` are checked here.

    Raises:
        UserError: if the run folder does not exist, or has no manifest of this format.
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

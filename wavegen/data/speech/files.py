"""JSON of a corpus: written whole or not at all, read with an error that the user understands."""

import json
from pathlib import Path

from wavegen.errors import UserError
from wavegen.files import write_bytes


def write_json(path: Path, data: object) -> None:
    write_bytes(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def read_json(path: Path) -> dict:
    """Raises UserError where the file is missing, unreadable, or holds anything but a JSON object."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is unreadable or no JSON: {error}") from error
    if not isinstance(data, dict):
        raise UserError(f"{path} must hold a JSON object, got {type(data).__name__}")
    return data

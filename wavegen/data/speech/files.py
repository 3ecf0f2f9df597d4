"""JSON files of a corpus: written atomically, and read with clear error messages."""

import json
from pathlib import Path

from wavegen.errors import UserError
from wavegen.files import write_bytes


def write_json(path: Path, data: object) -> None:
    write_bytes(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def read_json(path: Path) -> dict:
    """Raises UserError if the file is missing, unreadable, or not a JSON object."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read or is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise UserError(f"{path}: expected a JSON object, got {type(data).__name__}")
    return data

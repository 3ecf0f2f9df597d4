"""Renders HTML pages with embedded sounds and images, which need no network."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from wavegen.errors import UserError

KINDS = {".wav": "audio/wav", ".png": "image/png"}


def render(template: str, directory: Path, **values: Any) -> str:
    """Render a template of this package. ``name | data_uri`` embeds the file ``directory / name``."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(
            lambda name: (files("wavegen.report") / "templates" / name).read_text(encoding="utf-8")
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = lambda name: data_uri(directory / name)
    return environment.get_template(template).render(**values)


@dataclass(frozen=True)
class Shown:
    """A figure of a report: its file relative to the run, its title, and a one-sentence caption."""

    file: str
    title: str
    caption: str


def data_uri(path: Path) -> str:
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:{KINDS[path.suffix]};base64,{content}"


def number(value: float, digits: int) -> str:
    """The number with a typographic minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def counted(number: float, noun: str) -> str:
    """``1 thread``, ``2,000 threads``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def known_values(metrics: Mapping[str, float | None], *keys: str) -> tuple[float, ...] | None:
    """The values of these keys; None if one of them is missing or could not be measured."""
    values = tuple(value for key in keys if (value := metrics.get(key)) is not None)
    return values if len(values) == len(keys) else None


def read_json(path: Path) -> dict:
    """The content of an evaluation's JSON file. Raises ``UserError`` if it is missing or corrupt."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"report: {path} is missing: run `wavegen evaluate` with this output folder first."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"report: {path} cannot be read as JSON ({error}).") from error
    if not isinstance(content, dict):
        raise UserError(f"report: {path} must contain a JSON object, got {type(content).__name__}.")
    return content

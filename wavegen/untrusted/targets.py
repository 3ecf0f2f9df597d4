"""Lists what an untrusted configuration may call: the classes and functions that ``configs/`` names.

Hydra calls anything that a ``_target_`` names, with any arguments beside it. The user is responsible for the
command line. The configuration and the manifest of a run, or of a corpus, need not be trusted: they may only
call what the files in ``configs/`` of this installation name, in settings and in comments, with arguments of
the right type (``arguments.py``).
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

from wavegen.calls import PARTIAL, TARGET
from wavegen.errors import UserError
from wavegen.resources import resource_directory

# Finds targets in settings, in commented-out settings, and after "or" in comments.
NAMED = re.compile(r"(?:_target_: |\bor )((?:wavegen|torch|lightning)(?:\.\w+)+)")
MODEL_PACKAGES = ("wavegen.distributions.", "wavegen.flows.", "wavegen.nets.", "wavegen.models.")
# Arguments of other packages' classes that may be text. All others may not: text could be a path to write to.
FOREIGN_TEXTS = {"lightning.Trainer": ("accelerator", "devices", "strategy")}


@functools.cache
def allowed_targets() -> frozenset[str]:
    """All targets that the configuration files of this installation name."""
    files = resource_directory("configs").rglob("*.yaml")
    return frozenset(name for file in files for name in NAMED.findall(file.read_text(encoding="utf-8")))


def model_parts() -> frozenset[str]:
    """The allowed targets that are parts of models."""
    return frozenset(name for name in allowed_targets() if name.startswith(MODEL_PACKAGES))


def refuse_foreign_targets(
    node: Any,
    source: object,
    *,
    allowed: frozenset[str] | None = None,
    advice: str = "",
    key: str = "",
) -> None:
    """Raise UserError unless ``node`` has only plain values and calls of ``allowed`` targets,
    by default :func:`allowed_targets`.

    Nothing is imported or called. Interpolations are refused because resolvers can make nodes, and so
    targets, from a string. Of Hydra's own keys only ``_target_`` and ``_partial_`` are allowed.

    Args:
        node: any part of a configuration: lists, mappings and scalars.
        source: its file, for the message.
        advice: added to the message if a target is refused.
        key: dotted key of the node.
    """
    allowed = allowed_targets() if allowed is None else allowed
    place = f"{source}: {key}" if key else f"{source}"
    if isinstance(node, Mapping):
        for name in node:
            if not isinstance(name, str):
                raise UserError(f"{place} has the key {name!r}, expected text")
            if name.startswith("_") and name.endswith("_") and name not in (TARGET, PARTIAL):
                raise UserError(
                    f"{place} has the key '{name}', expected settings, {TARGET} and {PARTIAL} only"
                )
        if TARGET in node:
            target = node[TARGET]
            if not (isinstance(target, str) and target in allowed):
                raise UserError(
                    f"{place} names the target {target!r}, expected one that wavegen's own configurations "
                    f"name{advice}"
                )
        if PARTIAL in node and not (TARGET in node and isinstance(node[PARTIAL], bool)):
            raise UserError(f"{place}.{PARTIAL} must be true or false, beside a {TARGET}")
        for name, value in node.items():
            inner = f"{key}.{name}" if key else name
            refuse_foreign_targets(value, source, allowed=allowed, advice=advice, key=inner)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            refuse_foreign_targets(value, source, allowed=allowed, advice=advice, key=f"{key}[{index}]")
    elif isinstance(node, str):
        if "${" in node:
            raise UserError(f"{place} contains the interpolation {node!r}, expected plain values")
    elif not (node is None or isinstance(node, bool | int | float)):
        raise UserError(f"{place} contains a {type(node).__name__}, expected plain values")

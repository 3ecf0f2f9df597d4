"""What a configuration that somebody was handed may call: the classes and functions that ``configs/`` names.

Hydra calls whatever a ``_target_`` names, with whatever arguments stand beside it. What was typed on the
command line is the user's own. The configuration and the manifest of a run, or of a corpus, may be anybody's:
they may call what the files below ``configs/`` of this installation name, in settings and in comments, with
arguments that fit (``arguments.py``), and nothing else.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

from wavegen.errors import UserError
from wavegen.resources import resource_directory

TARGET, PARTIAL = "_target_", "_partial_"
# In a setting, in a comment that shows one, or in a comment as an alternative.
NAMED = re.compile(r"(?:_target_: |\bor )((?:wavegen|torch|lightning)(?:\.\w+)+)")
MODEL_PACKAGES = ("wavegen.distributions.", "wavegen.flows.", "wavegen.nets.", "wavegen.models.")
# Arguments of classes that are not ours and may be text; text might name a place to write to.
FOREIGN_TEXTS = {"lightning.Trainer": ("accelerator", "devices", "strategy")}


@functools.cache
def allowed_targets() -> frozenset[str]:
    """All that the configuration files of this installation name."""
    files = resource_directory("configs").rglob("*.yaml")
    return frozenset(name for file in files for name in NAMED.findall(file.read_text(encoding="utf-8")))


def model_parts() -> frozenset[str]:
    """Those of which models are made."""
    return frozenset(name for name in allowed_targets() if name.startswith(MODEL_PACKAGES))


def refuse_foreign_targets(
    node: Any,
    source: object,
    *,
    allowed: frozenset[str] | None = None,
    advice: str = "",
    key: str = "",
) -> None:
    """Raises UserError unless ``node`` is plain values, and every call in it one of ``allowed``,
    by default :func:`allowed_targets`.

    Nothing is imported or called. An interpolation is refused because resolvers can make nodes, and so
    targets, out of a string; of Hydra's own keys only ``_target_`` and ``_partial_`` may occur.

    Args:
        node: any part of a configuration, of lists, mappings and scalars.
        source: its file, for the message.
        advice: what the message ends with where a target is refused.
        key: where the node stands, dotted.
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
                    f"{place} names the target {target!r}, which is none of those that wavegen's own "
                    f"configurations name{advice}"
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
            raise UserError(f"{place} holds the interpolation {node!r}, expected plain values")
    elif not (node is None or isinstance(node, bool | int | float)):
        raise UserError(f"{place} holds a {type(node).__name__}, expected plain values")

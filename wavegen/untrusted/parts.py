"""Saves and restores the parts of a voice or a corpus: front end, prosody, feature layout, pitch tracker.

A part is a frozen dataclass of plain settings and of other parts, so its description is the configuration
that makes it.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from wavegen.calls import build
from wavegen.errors import UserError
from wavegen.untrusted.arguments import check_calls, is_kind, product
from wavegen.untrusted.targets import TARGET, refuse_foreign_targets

Part = TypeVar("Part")


def describe(part: Any) -> dict[str, Any]:
    """The part as JSON: the name of its class as ``_target_``, and its fields; see :func:`restore`."""
    if not is_dataclass(part):
        raise TypeError(f"{type(part).__name__} is not a dataclass, so it cannot be described")
    kind = type(part)
    values = {field.name: _plain(getattr(part, field.name)) for field in fields(part)}
    return {TARGET: f"{kind.__module__}.{kind.__qualname__}", **values}


def restore(description: Any, kind: type[Part], source: object) -> Part:
    """The part of a description made by :func:`describe`. The description need not be trusted.

    Args:
        description: may name only targets that ``configs/`` names, with arguments of the right type.
        kind: the required type of the part: a class, or a protocol that can be checked at run time.
        source: file and key of the description, for the message.

    Raises:
        UserError: if the description contains anything else.
    """
    if not (isinstance(description, Mapping) and TARGET in description):
        raise UserError(f"{source} does not describe a {_name(kind)}, expected a mapping with a {TARGET}")
    refuse_foreign_targets(description, source)
    check_calls(description, source)
    made = product(description)
    if not is_kind(made, kind):
        raise UserError(f"{source} describes a {description[TARGET]}, expected a {_name(kind)}")
    try:
        return build(dict(description), _convert_="all")
    except UserError as error:
        raise UserError(f"{source}: {error}") from error


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return describe(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value

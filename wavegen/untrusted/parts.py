"""Saves and restores the parts of a voice or a corpus: front end, prosody, feature layout, pitch tracker.

A part is a frozen dataclass of plain settings and of other parts, so its description is the configuration
that makes it.
"""

import inspect
import json
import reprlib
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


def check_part(part: Any, kind: Any, what: str) -> None:
    """Raises UserError unless ``part`` is a frozen dataclass that a corpus or a voice can store and restore.

    Args:
        part: made by a configuration or by a user's code.
        kind: as for :func:`restore`; the part must have its methods.
        what: the part's role, for the message.
    """
    whole = f"the {what} {type(part).__name__}"
    parameters = getattr(part, "__dataclass_params__", None)
    if parameters is None or not parameters.frozen:
        raise UserError(f"{whole} is no frozen dataclass, expected @dataclass(frozen=True) above its class")
    if not isinstance(part, kind):
        methods = [name for name, value in getattr(kind, "__dict__", {}).items() if _is_method(name, value)]
        missing = [name for name in methods if not callable(getattr(part, name, None))]
        lacks = f"has no method {missing[0]}" if missing else f"is no {_name(kind)}"
        raise UserError(f"{whole} {lacks}, expected {', '.join(methods) or 'one'} of a {_name(kind)}")
    description = describe(part)
    for name, value in description.items():
        if not is_json(value):
            raise UserError(
                f"{whole} has {name}={short(value)}, expected finite numbers, text, lists or parts"
            )
    restore(json.loads(json.dumps(description)), kind, whole)


def is_json(value: Any) -> bool:
    """Whether a value can be written as JSON. NaN, infinity and NumPy's arrays and numbers cannot."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def short(value: Any) -> str:
    """The beginning of a value's representation, in one line, for messages."""
    return " ".join(reprlib.repr(value).split())


def _is_method(name: str, value: Any) -> bool:
    return inspect.isfunction(value) and not name.startswith("_")


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return describe(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value

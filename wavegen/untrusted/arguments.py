"""Checks the arguments of the calls in an untrusted configuration against the type annotations."""

import functools
import inspect
import operator
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Never, Union, get_args, get_origin, get_type_hints

from wavegen.calls import locate
from wavegen.errors import UserError
from wavegen.untrusted.targets import FOREIGN_TEXTS, MODEL_PACKAGES, PARTIAL, TARGET

# No net of wavegen is wider or deeper; more layers would be created one by one until memory is exhausted.
LARGEST_IN_A_MODEL = 2**16
LARGEST = 2**63 - 1
LARGEST_FLOAT = 1e300
WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "text",
    NoneType: "null",
    Never: "nothing",
}
STORABLE = "int, float, bool, str, list[int], …"


def check_calls(node: Any, source: object, *, key: str = "") -> None:
    """Raise UserError for the first call whose arguments do not fit, at any depth of the configuration.

    An argument must be known and annotated, and its value must have the annotated type: a number, text, a
    list of these, or another call that returns an object of that class. Numbers must be finite, those of
    models within ±2¹⁶. What a call is handed is checked before the call.

    Args:
        node: its targets have been checked (``targets.refuse_foreign_targets``).
        source: its file, for the message.
        key: dotted key of the node.
    """
    if isinstance(node, Mapping):
        for name, value in node.items():
            check_calls(value, source, key=f"{key}.{name}" if key else name)
        if TARGET in node:
            check_call(node, source, key)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            check_calls(value, source, key=f"{key}[{index}]")


def check_call(node: Mapping[str, Any], source: object, key: str = "") -> None:
    """Raise UserError if the arguments of this call do not fit; calls in its arguments are not checked."""
    target = node[TARGET]
    function = locate(target, _at(source, key))
    arguments = {name: value for name, value in node.items() if name not in (TARGET, PARTIAL)}
    known, hints = _parameters(function), _hints(function)
    largest = LARGEST_IN_A_MODEL if target.startswith(MODEL_PACKAGES) else LARGEST
    for name, value in arguments.items():
        if name not in known:
            raise UserError(f"{_at(source, key)} has the argument '{name}', which {target} does not take")
        if name not in hints:
            raise UserError(
                f"{_at(source, key)}: {target} does not annotate its argument '{name}': expected {STORABLE}"
            )
        hint = hints[name]
        if not target.startswith("wavegen.") and name not in FOREIGN_TEXTS.get(target, ()):
            hint = _without_text(hint)
        if not fits(value, hint, largest=largest):
            if advice := _advice(hint):
                raise UserError(
                    f"{_at(source, key)}: {target} annotates its argument '{name}' as {_name(hint)}{advice}"
                )
            got, wanted = _short(value), in_words(hint, largest)
            raise UserError(f"{_at(source, key, name)} is {got}, expected {wanted}")
    missing = [name for name, one in known.items() if one.default is one.empty and name not in arguments]
    if missing and not node.get(PARTIAL, False):
        raise UserError(f"{_at(source, key)} has no '{missing[0]}', which {target} needs")


def fits(value: Any, hint: Any, *, largest: int = LARGEST) -> bool:
    """Whether a plain value, or the result of a call, has the annotated type."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(fits(value, part, largest=largest) for part in parts)
    if isinstance(value, Mapping):
        return TARGET in value and is_kind(product(value), hint)
    if origin is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if origin is tuple and Ellipsis not in parts:
        return (
            isinstance(value, list)
            and len(value) == len(parts)
            and all(fits(item, part, largest=largest) for item, part in zip(value, parts, strict=True))
        )
    if origin in (list, tuple, Sequence, Iterable):
        return isinstance(value, list) and all(
            fits(item, part, largest=largest) for item in value for part in parts[:1] or (None,)
        )
    if hint is int:
        return type(value) is int and abs(value) <= largest
    if hint is float:
        return type(value) in (int, float) and abs(value) < LARGEST_FLOAT
    if hint in (str, Path):
        return isinstance(value, str)
    return type(value) is hint and hint in (bool, NoneType)


def product(node: Mapping[str, Any]) -> Any:
    """The type of a call's result: a class or an annotation; ``Callable[..., type]`` for a partial call."""
    function = locate(node[TARGET], "a configuration")
    result = function if inspect.isclass(function) else _hints(function).get("return")
    return Callable[..., result] if node.get(PARTIAL, False) else result


def is_kind(given: Any, hint: Any) -> bool:
    """Whether every object of type ``given`` also has type ``hint``; both are annotations."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(is_kind(given, part) for part in parts)
    if get_origin(given) is Callable:
        return origin is Callable and is_kind(get_args(given)[-1], parts[-1])
    if origin is Callable:
        return isinstance(given, type) and any("__call__" in vars(base) for base in given.__mro__)
    if origin is not None:
        outer = get_origin(given)
        return isinstance(outer, type) and issubclass(outer, origin) and get_args(given) == parts
    return isinstance(hint, type) and isinstance(given, type) and issubclass(given, hint)


def in_words(hint: Any, largest: int = LARGEST) -> str:
    """An annotation in words that follow "expected"."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(in_words(part, largest) for part in parts))
    if origin is Literal:
        return "one of " + ", ".join(map(repr, parts))
    if origin is tuple and Ellipsis not in parts:
        return f"a list of {len(parts)} ({', '.join(in_words(part, largest) for part in parts)})"
    if origin in (list, tuple, Sequence, Iterable) and parts:
        return f"a list ({in_words(parts[0], largest)} each)"
    if origin is Callable:
        return f"a {TARGET} that makes {in_words(parts[-1], largest)}"
    if hint is int and largest < LARGEST:
        return f"a whole number up to {largest}"
    return WORDS.get(hint) or f"an object of {_name(hint)}"


def _parameters(function: Callable) -> dict[str, inspect.Parameter]:
    """The parameters that can be given by name."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(function).parameters
    return {name: parameter for name, parameter in parameters.items() if parameter.kind in named}


def _hints(function: Callable) -> dict[str, Any]:
    try:
        return get_type_hints(function.__init__ if inspect.isclass(function) else function)
    except NameError as error:
        name = f"{function.__module__}.{function.__qualname__}"
        raise UserError(f"an annotation of {name} cannot be read: {error}") from error


def _advice(hint: Any) -> str | None:
    """What to say of an annotation that admits nothing which can be stored and checked, else None."""
    origin, parts = get_origin(hint), get_args(hint)
    kind = origin or hint
    if hint in (Any, object):
        return f", expected {STORABLE}"
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return ", but mappings cannot be stored: expected single arguments, or a list"
    if kind in (list, tuple, Sequence, Iterable) and not parts:
        return ", expected the type of its entries too, such as list[int]"
    if kind in (list, tuple, Sequence, Iterable):
        return _advice(parts[0])
    if kind in (Union, UnionType):
        advices = [_advice(part) for part in parts if part is not NoneType]
        return advices[0] if all(advices) else None
    return None


def _name(hint: Any) -> str:
    """An annotation as it is written."""
    return hint.__name__ if inspect.isclass(hint) and not get_args(hint) else str(hint)


def _without_text(hint: Any) -> Any:
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kept = tuple(part for part in parts if part not in (str, Path))
    return functools.reduce(operator.or_, kept) if kept else Never


def _at(source: object, *names: str) -> str:
    key = ".".join(name for name in names if name)
    return f"{source}: {key}" if key else f"{source}"


def _short(value: Any) -> str:
    return reprlib.repr(value) if not isinstance(value, Mapping) else f"a {value.get(TARGET, 'mapping')}"

"""Turns a recipe's name and the words of a command line into one configuration.

Hydra composes ``configs/<recipe>.yaml`` with its groups and the overrides. Two things are done around it:

- Keys that hold free text (a sentence, a path) are listed in the recipe's file under ``_verbatim_``. Their
  values never meet Hydra's grammar nor OmegaConf's interpolation: what the shell passed arrives character by
  character.
- Every mistake that a user can make becomes one sentence, with the nearest right spelling.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, ValueNode
from omegaconf.errors import OmegaConfBaseException

from wavegen.errors import UserError

VERBATIM_KEY = "_verbatim_"
_ABSENT = object()


def compose_config(recipe: str, arguments: Sequence[str], *, configs: Path) -> DictConfig:
    """Composes ``configs/<recipe>.yaml`` with the overrides in ``arguments``.

    Args:
        recipe: Name of the primary file, without suffix.
        arguments: Hydra overrides (``key=value``, ``group=choice``, ``+key=value``, ``~key``).
        configs: Directory of the primary files and of one folder per group.

    Returns:
        The composed configuration; unknown keys in it raise. ``_verbatim_`` is taken out.

    Raises:
        UserError: an argument is malformed, names an unknown key or choice, or has the wrong type.
    """
    verbatim_keys = _read_verbatim_keys(configs / f"{recipe}.yaml")
    overrides, literals = _separate_literals(arguments, verbatim_keys)
    parsed = [_parse_override(text) for text in overrides]
    groups = [override for override in parsed if _is_group(override, configs)]
    for override in groups:
        _check_choice(override, configs)
    with initialize_config_dir(version_base="1.3", config_dir=str(configs.resolve())):
        base = _compose(recipe, groups)
        for override in parsed:
            if override not in groups:
                _check_value(override, base, recipe, configs)
        config = _compose(recipe, parsed) if len(parsed) > len(groups) else base
    for key, value in literals.items():
        if _find(key, base) is _ABSENT:
            raise _unknown_key(key, base, recipe, configs)
        OmegaConf.update(config, key, as_literal(value))
    OmegaConf.set_struct(config, False)
    config.pop(VERBATIM_KEY, None)
    OmegaConf.set_struct(config, True)
    return config


def as_literal(text: str) -> str:
    """Returns what an OmegaConf node must hold so that reading it gives ``text``, whatever that is."""
    if text == "???":  # OmegaConf's mark for "mandatory and missing"; it has no escape
        OmegaConf.register_new_resolver("literal", lambda value: value, replace=True)
        return "${literal:'???'}"
    return re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", text)


def _read_verbatim_keys(primary: Path) -> frozenset[str]:
    return frozenset(cast(DictConfig, OmegaConf.load(primary)).get(VERBATIM_KEY) or ())


def _separate_literals(
    arguments: Sequence[str], verbatim_keys: frozenset[str]
) -> tuple[list[str], dict[str, str]]:
    overrides, literals = [], {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if argument.startswith("-"):
            raise UserError(f"unknown option {argument}: expected key=value, --help or --config")
        if not (key.strip("+ ") and (equals or argument.startswith("~"))):
            raise UserError(f"'{argument}' is no override: expected key=value, as in seed=1")
        if key.lstrip("+") in verbatim_keys:
            literals[key.lstrip("+")] = value
        else:
            overrides.append(argument)
    return overrides, literals


def _parse_override(text: str) -> Override:
    key, _, value = text.partition("=")
    advice = f"if the value is text, quote it twice: '{key}=\"{value}\"'"
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException as error:
        raise UserError(f"cannot read the override {text}: expected key=value; {advice}") from error
    if override.is_sweep_override():
        raise UserError(f"{text} reads as several values, and wavegen runs one at a time; {advice}")
    return override


def _is_group(override: Override, configs: Path) -> bool:
    return (configs / override.key_or_group).is_dir()


def _check_choice(override: Override, configs: Path) -> None:
    value = override.value()
    chosen = value if isinstance(value, list) else [value]
    if override.is_delete() or value is None:
        return
    choices = list_choices(configs / override.key_or_group)
    for choice in chosen:
        if choice not in choices:
            raise UserError(
                f"{override.get_key_element()}={choice}: no such choice, expected one of {', '.join(choices)}"
            )


def list_choices(group: Path) -> list[str]:
    """Returns the names of a group's choices, sorted; what their files share (``_base``) is none."""
    files = (path for path in group.rglob("*.yaml") if not path.name.startswith("_"))
    return sorted(path.relative_to(group).with_suffix("").as_posix() for path in files)


def _check_value(override: Override, base: DictConfig, recipe: str, configs: Path) -> None:
    key = override.key_or_group
    default = _find(key, base)
    if default is _ABSENT:
        if override.is_add() or override.is_force_add():
            return
        raise _unknown_key(key, base, recipe, configs)
    if override.is_delete() or _is_foreign(key, base):
        return
    value = override.value()
    if isinstance(default, DictConfig) and not (value is None or isinstance(value, dict)):
        raise UserError(f"{key} holds several settings: expected {key}.NAME=…, got {_as_yaml(value)}")
    expected = {bool: "true or false", int: "a whole number", float: "a number"}.get(type(default))
    fits = {bool: (bool,), int: (int,), float: (int, float)}.get(type(default))
    if fits is None or value is None or (isinstance(value, str) and "${" in value):
        return
    if not isinstance(value, fits) or (isinstance(value, bool) and bool not in fits):
        raise UserError(f"{key}: expected {expected} such as {_as_yaml(default)}, got {_as_yaml(value)}")


def _find(key: str, node: object) -> object:
    """Returns the value at a dotted key, None for one that is still to be given, or ``_ABSENT``."""
    for name in key.split("."):
        if not isinstance(node, DictConfig) or name not in list(node.keys()):
            return _ABSENT
        node = None if OmegaConf.is_missing(node, name) else node._get_node(name)
        if isinstance(node, ValueNode):
            node = node._value()
    return node


def _is_foreign(key: str, base: DictConfig) -> bool:
    """Whether the key is an argument of a class that is not ours, and that has its own idea of what fits."""
    parts = key.split(".")
    for depth in range(1, len(parts)):
        node = _find(".".join(parts[:depth]), base)
        target = node.get("_target_") if isinstance(node, DictConfig) else None
        if target is not None and not str(target).startswith("wavegen."):
            return True
    return False


def _unknown_key(key: str, base: DictConfig, recipe: str, configs: Path) -> UserError:
    known = [name for name in _list_keys(base) if not name.split(".")[-1].startswith("_")]
    groups = [path.name for path in configs.iterdir() if path.is_dir()]
    same_ending = [name for name in known if name.split(".")[-1] == key.split(".")[-1]]
    nearest = same_ending + difflib.get_close_matches(key, known + groups, n=3, cutoff=0.6)
    nearest = list(dict.fromkeys(nearest))[:3]
    message = f"{recipe} has no key '{key}'"
    if nearest:
        message += f"; did you mean {' or '.join(nearest)}?"
    else:
        message += f"; `wavegen {recipe} --help` lists its keys"
    if "." in key and _is_foreign(key, base):
        message += f" (to hand on an argument that is not listed: +{key}=…)"
    return UserError(message)


def _list_keys(node: DictConfig, prefix: str = "") -> Iterator[str]:
    for name in cast(Iterable[str], node):
        yield f"{prefix}{name}"
        if not OmegaConf.is_missing(node, name) and not OmegaConf.is_interpolation(node, name):
            child = node[name]
            if isinstance(child, DictConfig):
                yield from _list_keys(child, f"{prefix}{name}.")


def _compose(recipe: str, overrides: Iterable[Override]) -> DictConfig:
    try:
        return compose(recipe, [cast(str, override.input_line) for override in overrides])
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise UserError(f"cannot compose the configuration of {recipe}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _as_yaml(value: object) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)

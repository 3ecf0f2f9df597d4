"""One word of a command line, read and checked: every mistake in it is one sentence.

Hydra's own words for a mistake speak of its defaults lists; those here name the recipe and what it has.
"""

from collections.abc import Mapping
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from wavegen.cli.groups import Group, recipes_of
from wavegen.cli.keys import ABSENT, find, is_foreign, nearest
from wavegen.errors import UserError


def parse_override(text: str) -> Override:
    """Reads ``key=value``. Raises UserError where Hydra's grammar cannot, or reads several values."""
    key, _, value = text.partition("=")
    advice = f"if the value is text, quote it twice: '{key}=\"{value}\"'"
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException as error:
        raise UserError(f"cannot read the override {text}: expected key=value; {advice}") from error
    if override.is_sweep_override():
        raise UserError(f"{text} reads as several values, and wavegen runs one at a time; {advice}")
    return override


def key_of(override: Override) -> str:
    """The key or group, with its package where it has one: ``optimisation@teacher_training``."""
    return override.key_or_group + (f"@{override.package}" if override.package else "")


def check_choice(override: Override, group: Group, recipe: str) -> None:
    """Raises UserError where the group has no such choice, or has it for another recipe."""
    several = "one of " if len(group.choices) > 1 else ""
    choices = ", ".join(group.choices)
    expected = f"expected {several}{choices}" if choices else f"{recipe} has no {group.name}"
    if is_none(override):
        if group.default is not None:
            raise UserError(f"{override.input_line}: {recipe} needs a {group.name}, {expected}")
        return
    value = override.value()
    for choice in map(str, value if isinstance(value, list) else [value]):
        if choice in group.choices:
            continue
        if choice not in group.others:
            raise UserError(f"{group.key}={choice}: no such choice, {expected}")
        owners = recipes_of(group.others[choice])
        whose = "another training" if recipe in owners else f"the recipe {' and '.join(owners)}, not {recipe}"
        raise UserError(f"{group.key}={choice} is for {whose}: {expected}")


def is_none(override: Override) -> bool:
    """Whether a group's override asks for no choice: ``group=null`` or ``~group``."""
    return override.is_delete() or override.value() is None


def check_value(
    override: Override, base: DictConfig, recipe: str, groups: Mapping[str, Group], configs: Path
) -> None:
    """Raises UserError where the recipe has no such key or group, or its value is of another type."""
    key = override.key_or_group
    default = find(key, base)
    if override.package is not None or (default is ABSENT and (configs / key).is_dir()):
        names = ", ".join(name for name, group in groups.items() if group.choices)
        has = f"its groups are {names}" if names else "it has no groups"
        raise UserError(f"the recipe {recipe} has no group {key_of(override)}; {has}")
    if default is ABSENT:
        if override.is_add() or override.is_force_add():
            return
        raise unknown_key(key, base, recipe, groups)
    if override.is_delete():
        if OmegaConf.select(base, key, throw_on_resolution_failure=False) is None:  # Hydra sees nothing there
            raise UserError(
                f"~{key}: expected a key with a value, got {_as_yaml(default)}, which is null or filled in "
                f"later; give it a value instead: {key}=…"
            )
        return
    if is_foreign(key, base):
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


def unknown_key(key: str, base: DictConfig, recipe: str, groups: Mapping[str, Group]) -> UserError:
    """What to say of a key that the recipe does not have, with the nearest that it has."""
    message = f"{recipe} has no key '{key}'"
    if meant := nearest(key, base, groups):
        message += f"; did you mean {' or '.join(meant)}?"
    else:
        message += f"; `wavegen {recipe} --help` lists its keys"
    if "." in key and is_foreign(key, base):
        message += f" (to hand on an argument that is not listed: +{key}=…)"
    return UserError(message)


def _as_yaml(value: object) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)

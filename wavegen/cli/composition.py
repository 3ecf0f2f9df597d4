"""Turns a recipe's name and the words of a command line into one configuration.

Hydra composes ``configs/<recipe>.yaml`` with its groups and the overrides. Two things are done around it:

- Keys that hold free text (a sentence, a path) are listed in the recipe's file under ``_verbatim_``. Their
  values never meet Hydra's grammar nor OmegaConf's interpolation: what the shell passed arrives character by
  character.
- Every mistake that a user can make becomes one sentence, with the nearest right spelling
  (:mod:`wavegen.cli.overrides`).
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from wavegen.cli.config_files import not_yaml, read_mapping
from wavegen.cli.groups import check_packages, chosen_files, recipe_groups
from wavegen.cli.keys import ABSENT, find
from wavegen.cli.overrides import check_choice, check_value, is_none, key_of, parse_override, unknown_key
from wavegen.errors import UserError

VERBATIM_KEY = "_verbatim_"


def folder_name(path: str | None, default: str) -> str:
    """The last part of a path, for the names of folders that are made for it; the default if there is none.

    Example:
        >>> folder_name("~/speech/anna/", "own"), folder_name(None, "own")
        ('anna', 'own')
    """
    return (path is not None and Path(path).expanduser().resolve().name) or default


OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)


def compose_config(recipe: str, arguments: Sequence[str], *, configs: Path) -> DictConfig:
    """Composes ``configs/<recipe>.yaml`` with the overrides in ``arguments``.

    Args:
        recipe: Name of the primary file, without suffix.
        arguments: Hydra overrides (``key=value``, ``group=choice``, ``+key=value``, ``~key``).
        configs: Directory of the primary files and of one folder per group.

    Returns:
        The composed configuration; unknown keys in it raise. ``_verbatim_`` is taken out.

    Raises:
        UserError: an argument is malformed, names a key, group or choice that the recipe does not have, or
            has the wrong type; a file is not YAML, or that of a choice lacks the first line that places its
            settings.
    """
    verbatim_keys = _read_verbatim_keys(configs / f"{recipe}.yaml")
    overrides, literals = _separate_literals(arguments, verbatim_keys)
    parsed = [parse_override(text) for text in overrides]
    groups = recipe_groups(recipe, configs)
    choices = [override for override in parsed if key_of(override) in groups]
    for override in choices:
        check_choice(override, groups[key_of(override)], recipe)
    check_packages(groups, chosen_files(groups, arguments))
    parsed = [override for override in parsed if not (override in choices and is_none(override))]
    choices = [override for override in choices if not is_none(override)]
    with initialize_config_dir(version_base="1.3", config_dir=str(configs.resolve())):
        base = _compose(recipe, choices)
        for override in parsed:
            if override not in choices:
                check_value(override, base, recipe, groups, configs)
        config = _compose(recipe, parsed) if len(parsed) > len(choices) else base
    for key, value in literals.items():
        if find(key, base) is ABSENT:
            raise unknown_key(key, base, recipe, groups)
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
    return frozenset(read_mapping(primary).get(VERBATIM_KEY) or ())


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


def _compose(recipe: str, overrides: Iterable[Override]) -> DictConfig:
    try:
        return compose(recipe, [cast(str, override.input_line) for override in overrides])
    except yaml.YAMLError as error:
        raise not_yaml(error) from error
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise UserError(f"cannot compose the configuration of {recipe}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]

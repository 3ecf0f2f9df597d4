"""The groups of a recipe, and which choices of them fit it.

A recipe has the groups that its ``defaults`` list names. A group may be placed under another key than its
own name: ``optimisation@teacher_training: teacher``. Most choices fit every recipe that has their group. An
experiment and an optimisation are made for some recipes only, which the commands at the file's top name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wavegen.cli.config_files import commands, package_named_in, read_mapping
from wavegen.errors import UserError

EXPERIMENT, OPTIMISATION = "experiment", "optimisation"


@dataclass(frozen=True)
class Group:
    """A group in a recipe's defaults list.

    ``key`` is what stands before the equals sign on the command line (``teacher``,
    ``optimisation@teacher_training``), ``default`` the choice without an override, None where there is none;
    ``choices`` are the files of the choices that fit the recipe, ``others`` those made for other recipes, by
    name.
    """

    key: str
    default: str | None
    choices: dict[str, Path]
    others: dict[str, Path]

    @property
    def name(self) -> str:
        """The folder of the group."""
        return self.key.partition("@")[0]

    @property
    def package(self) -> str:
        """The key in the configuration below which a choice's settings are: its files may name it."""
        default = self.file_of(self.default)
        files = [*([default] if default else []), *self.choices.values()]
        named = (name for path in files if (name := package_named_in(path)) is not None)
        return next(named, package_of(self.key))

    def file_of(self, choice: str | None) -> Path | None:
        """The file of a choice; None if there is no choice, or it does not fit the recipe."""
        return None if choice is None else self.choices.get(choice)


def recipe_groups(recipe: str, configs: Path) -> dict[str, Group]:
    """The groups of a recipe by key, in the order of its defaults list."""
    document = read_mapping(configs / f"{recipe}.yaml")
    groups = {}
    for entry in document.get("defaults") or []:
        if isinstance(entry, dict):
            (key, default), *_ = entry.items()
            groups[_key(key)] = _group(recipe, _key(key), default, configs)
    return groups


def package_of(key: str) -> str:
    """Where the settings of ``group`` or ``group@package`` stand; an experiment's stand at the top."""
    group, _, package = key.partition("@")
    return "" if group == EXPERIMENT else package or group


def chosen_files(groups: Mapping[str, Group], arguments: Sequence[str]) -> dict[str, list[Path]]:
    """The files that a command line chooses in each group: the given ones, the experiment's or the default.

    ``group=[one,other]`` chooses several. A choice that does not exist, or does not fit the recipe, is
    ignored.
    """
    given = {key: _names(value) for key, value in (word.split("=", 1) for word in arguments if "=" in word)}
    found = {}
    if experiment := groups.get(EXPERIMENT):
        overlays = _files_of(experiment, given.get(EXPERIMENT, _names(experiment.default)))
        found = {EXPERIMENT: overlays} if overlays else {}
        for overlay in reversed(overlays):
            given = _overridden(overlay) | given
    for key, group in groups.items():
        paths = _files_of(group, given.get(key, [])) or _files_of(group, _names(group.default))
        if key != EXPERIMENT and paths:
            found[key] = paths
    return found


def _names(choice: str | Sequence[str] | None) -> list[str]:
    """The names in a choice: of a command line, ``one`` or ``[one,other]``, or of a defaults list."""
    if choice is None:
        return []
    names = choice.strip("[] ").split(",") if isinstance(choice, str) else choice
    return [name.strip() for name in names]


def _files_of(group: Group, names: Sequence[str]) -> list[Path]:
    return [path for name in names if (path := group.file_of(name)) is not None]


def check_packages(groups: Mapping[str, Group], chosen: Mapping[str, Sequence[Path]]) -> None:
    """Raises UserError for a chosen file whose settings Hydra would put elsewhere than its group's others.

    Args:
        chosen: the files of :func:`chosen_files`.
    """
    for key, path in ((key, path) for key, paths in chosen.items() for path in paths):
        group, named = groups[key], package_named_in(path)
        place = group.name if named is None else named
        if "@" not in key and place != group.package:
            raise UserError(
                f"{path} would put its settings below {place or 'no key'}: its first line must be "
                f"'# @package {group.package or '_global_'}', got {_first_line(path)!r}"
            )


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0]


def _overridden(overlay: Path) -> dict[str, list[str]]:
    """Group → names chosen by an experiment's ``override`` entries."""
    document = read_mapping(overlay)
    entries = [entry for entry in document.get("defaults") or [] if isinstance(entry, dict)]
    return {_key(name): _names(choice) for entry in entries for name, choice in entry.items()}


def _key(entry: str) -> str:
    """The group in an entry of a defaults list, such as ``override /teacher``."""
    return entry.split()[-1].lstrip("/")


def recipes_of(path: Path) -> list[str]:
    """The recipes that a choice is made for: those of the commands at its file's top, each once."""
    return list(dict.fromkeys(command.split()[0] for command in commands(path)))


def _group(recipe: str, key: str, default: str | None, configs: Path) -> Group:
    folder = configs / key.partition("@")[0]
    files = {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*.yaml"))
        if not path.name.startswith("_")  # what the choices share
    }
    fitting = {name: path for name, path in files.items() if name == default or _fits(path, recipe, key)}
    return Group(key, default, fitting, {name: path for name, path in files.items() if name not in fitting})


def _fits(path: Path, recipe: str, key: str) -> bool:
    shown, group = commands(path), key.partition("@")[0]
    if not shown or group not in (EXPERIMENT, OPTIMISATION):
        return True
    of_recipe = [command for command in shown if command.split()[0] == recipe]
    return any(group == EXPERIMENT or f" {package_of(key)}." in command for command in of_recipe)

"""What ``wavegen --help`` and ``wavegen <recipe> --help`` say.

The words come from where the thing itself is written: a recipe's docstring, the comments in its configuration
file, the files of each group. Nothing here imports a recipe, Hydra or torch, so help comes at once.
"""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from wavegen.cli.config_files import first_comment, leaves, read_mapping
from wavegen.cli.groups import EXPERIMENT, OPTIMISATION, Group, check_packages, chosen_files, recipe_groups
from wavegen.cli.recipes import docstring, examples, find_recipes

WIDTH = 100
# Of a training with more settings than MANY help shows these alone: what most commands set.
MOST_USED, MANY = ("max_steps", "max_minutes", "batch_size", "optimizer.lr"), 8

Row = tuple[str, str]  # a name, and what is said of it
Settings = dict[str, tuple[str, str]]  # dotted key → (default, explanation)

OVERVIEW = """\
wavegen trains WaveNet teachers, distils them into students that generate all samples in parallel, and
speaks text with both. With the same core it fits normalising flows to images, tables and the plane.

usage: wavegen <recipe> [key=value ...]
       wavegen <recipe> --help      what the recipe does, its settings and examples
       wavegen <recipe> --config    the complete configuration that a command would run with
       wavegen --version
"""


def describe_all(recipes: Path, configs: Path) -> str:
    """Returns the text of ``wavegen --help``."""
    scripts = find_recipes(recipes)
    lines = [OVERVIEW, "recipes"]
    lines += _table([(name, docstring(script).partition("\n")[0]) for name, script in scripts.items()])
    shown = [example for name, script in scripts.items() for example in examples(name, script, configs)[:1]]
    if shown:
        lines += ["", "examples", *(f"  {example}" for example in shown)]
    return "\n".join(lines)


def describe(recipe: str, recipes: Path, configs: Path, arguments: Sequence[str] = ()) -> str:
    """Returns the text of ``wavegen <recipe> --help``, with the settings of ``arguments``' choices.

    Raises UserError where the file of a choice lacks the first line that places its settings.
    """
    script, primary = find_recipes(recipes)[recipe], configs / f"{recipe}.yaml"
    groups = recipe_groups(recipe, configs)
    chosen = chosen_files(groups, arguments)
    check_packages(groups, chosen)
    brought = _brought_settings(groups, chosen)
    training, has_more = _training_settings(groups, brought)
    own = leaves(primary)
    lines = [docstring(script).partition("\nExamples:\n")[0].rstrip(), ""]
    lines += [f"usage: wavegen {recipe} [key=value ...]"]
    if any(group.choices for group in groups.values()):
        lines += ["", "choices (group=choice; * is the default)"]
    for key, group in groups.items():
        lines += [f"  {key}", *_table(_choices(group), indent=4)] if group.choices else []
    if training:
        lines += ["", "training (key=value)", *_table(_rows(training))]
    if own:
        lines += ["", "settings (key=value)", *_table(_rows(own))]
    for key, paths in chosen.items():
        given = any(word.startswith(f"{key}=") for word in arguments)
        for path in paths if given else []:
            names = _settings(groups[key], path)
            rows = _rows({name: brought[name] for name in names})
            lines += ["", f"settings of {key}={path.stem}", *_table(rows)]
    closing = _closing(recipe, primary, groups, has_more)
    lines += ["", *textwrap.wrap(closing, WIDTH, break_on_hyphens=False)]
    shown = examples(recipe, script, configs)
    if shown:
        lines += ["", "examples", *(f"  {example}" for example in shown)]
    return "\n".join(lines)


def _choices(group: Group) -> list[Row]:
    """Each choice and what its file says of itself."""
    rows = [
        (name + "*" * (name == group.default), first_comment(path)) for name, path in group.choices.items()
    ]
    return rows if group.default is not None else [("null*", "none of them"), *rows]


def _settings(group: Group, path: Path) -> Settings:
    """What a choice's file sets, by the keys that a command line sets it with."""
    prefix = f"{group.package}." if group.package else ""
    found = leaves(path, open_braces=group.name == EXPERIMENT)
    return {f"{prefix}{name}": setting for name, setting in found.items()}


def _brought_settings(groups: Mapping[str, Group], chosen: Mapping[str, Sequence[Path]]) -> Settings:
    """What all chosen files set; what an experiment overrides keeps the explanation of its group."""
    found: Settings = {}
    for key, path in ((key, path) for key, paths in chosen.items() for path in paths):
        if key != EXPERIMENT:
            found |= _settings(groups[key], path)
    for overlay in chosen.get(EXPERIMENT, []):
        for name, (value, comment) in _settings(groups[EXPERIMENT], overlay).items():
            parts = name.split(".")
            above = (".".join(parts[:depth]) for depth in range(len(parts), 0, -1))
            found[name] = value, next((found[part][1] for part in above if part in found), comment)
    return found


def _training_settings(groups: Mapping[str, Group], brought: Settings) -> tuple[Settings, bool]:
    """The settings of the recipe's trainings that help shows, and whether there are more."""
    shown: Settings = {}
    has_more = False
    for group in groups.values():
        if group.name == OPTIMISATION:
            every = [name for name in brought if name.startswith(f"{group.package}.")]
            most_used = [f"{group.package}.{name}" for name in MOST_USED]
            has_more |= len(every) > MANY
            shown |= {name: brought[name] for name in (most_used if len(every) > MANY else every)}
    return shown, has_more


def _closing(recipe: str, primary: Path, groups: Mapping[str, Group], has_more: bool) -> str:
    sentences = []
    if groups:
        trainings = [key for key, group in groups.items() if group.name == OPTIMISATION]
        key = trainings[0] if has_more else next(iter(groups))
        choice = groups[key].default or next(iter(groups[key].choices))
        sentences.append(
            "The settings of a choice can be changed too. To list them, add the choice to this command, as "
            f"in `wavegen {recipe} --help {key}={choice}`."
        )
    sentences.append(f"`wavegen {recipe} --config` prints everything at once.")
    if verbatim := read_mapping(primary).get("_verbatim_"):
        sentences.append(
            f"The values of {', '.join(verbatim)} are taken literally, whatever characters they contain."
        )
    return " ".join(sentences)


def _rows(settings: Settings) -> list[Row]:
    return [(f"{name}={value}", comment) for name, (value, comment) in settings.items()]


def _table(rows: list[Row], *, indent: int = 2) -> list[str]:
    column = min(max(len(name) for name, _ in rows), 36)
    margin = " " * indent
    lines = []
    for name, text in rows:
        wrapped = textwrap.wrap(text, WIDTH - column - indent - 2, break_on_hyphens=False) or [""]
        if len(name) > column:
            lines.append(f"{margin}{name}")
            if not text:
                continue
            name = ""
        heads = [name] + [""] * (len(wrapped) - 1)
        lines += [
            f"{margin}{head:<{column}}  {line}".rstrip() for head, line in zip(heads, wrapped, strict=True)
        ]
    return lines

"""What ``wavegen --help`` and ``wavegen <recipe> --help`` say.

The words come from where the thing itself is written: a recipe's docstring, the comments in its configuration
file, the files of each group. Nothing here imports a recipe, Hydra or torch, so help comes at once.
"""

import ast
import itertools
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from wavegen.errors import UserError

WIDTH = 100
MERGE = "<<"  # YAML's key of a mapping whose entries belong to this one
PIPELINE = ("prepare", "teacher", "distill", "synthesize", "evaluate")  # first, and in this order

OVERVIEW = """\
wavegen trains a WaveNet teacher, distils it into a student that speaks all its samples at once,
and lets both speak; on the same core it fits normalising flows to images, tables and the plane.

usage: wavegen <recipe> [key=value ...]
       wavegen <recipe> --help      what the recipe does, its settings and examples
       wavegen <recipe> --config    the complete configuration that a command would run with
       wavegen --version
"""


def find_recipes(recipes: Path) -> dict[str, Path]:
    """Returns recipe name → script: every ``<recipes>/<family>/<name>.py``, the pipeline first."""
    found = {path.stem: path for path in sorted(recipes.glob("*/*.py")) if not path.name.startswith("_")}
    if not found:
        raise UserError(f"{recipes} has no recipe in it: expected scripts such as audio/distill.py")
    rank = {name: position for position, name in enumerate(PIPELINE)}
    return {name: found[name] for name in sorted(found, key=lambda name: (rank.get(name, len(rank)), name))}


def describe_all(recipes: Path, configs: Path) -> str:
    """Returns the text of ``wavegen --help``."""
    scripts = find_recipes(recipes)
    lines = [OVERVIEW, "recipes"]
    lines += _table([(name, _docstring(script).partition("\n")[0]) for name, script in scripts.items()])
    examples = [
        example for name, script in scripts.items() for example in _examples(name, script, configs)[:1]
    ]
    if examples:
        lines += ["", "examples", *(f"  {example}" for example in examples)]
    return "\n".join(lines)


def describe(recipe: str, recipes: Path, configs: Path, arguments: Sequence[str] = ()) -> str:
    """Returns the text of ``wavegen <recipe> --help``, with the settings of ``arguments``' choices."""
    script, primary = find_recipes(recipes)[recipe], configs / f"{recipe}.yaml"
    document = yaml.safe_load(primary.read_text(encoding="utf-8")) or {}
    description = _docstring(script).partition("\nExamples:\n")[0].rstrip()
    lines = [description, "", f"usage: wavegen {recipe} [key=value ...]"]
    groups = list(_groups(document.get("defaults") or [], configs, _foreign_recipes(script, recipes)))
    if groups:
        lines += ["", "choices (group=choice; * is the default)"]
        for name, choices in groups:
            lines += [f"  {name}", *_table(choices, indent=4)]
    settings = _settings(primary)
    if settings:
        lines += ["", "settings (key=value)"]
        lines += _table(settings)
    for group, choice in (word.split("=", 1) for word in arguments if "=" in word):
        chosen = configs / group.partition("@")[0] / f"{choice}.yaml"
        if chosen.is_file():
            prefix = f"{group.partition('@')[2] or group}."
            lines += ["", f"settings of {group}={choice}"]
            lines += _table(_settings(chosen, prefix))
    lines += ["", *textwrap.wrap(_closing(recipe, document), WIDTH, break_on_hyphens=False)]
    examples = _examples(recipe, script, configs)
    if examples:
        lines += ["", "examples", *(f"  {example}" for example in examples)]
    return "\n".join(lines)


def _closing(recipe: str, document: dict) -> str:
    sentences = []
    if document.get("defaults"):
        sentences.append(
            "What a choice brings can be set as well (group.key=value): add it to this command, as in "
            f"`wavegen {recipe} --help group=choice`."
        )
    sentences.append(f"`wavegen {recipe} --config` prints everything at once.")
    verbatim = document.get("_verbatim_") or []
    if verbatim:
        sentences.append(
            f"The value of {', '.join(verbatim)} is taken as it stands, whatever characters it holds."
        )
    return " ".join(sentences)


def _docstring(script: Path) -> str:
    return ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or "(no description)"


def _foreign_recipes(script: Path, recipes: Path) -> set[str]:
    """The recipes of other families: what is made for them does not fit this one."""
    return {name for name, path in find_recipes(recipes).items() if path.parent.name != script.parent.name}


def _groups(
    defaults: list, configs: Path, foreign_recipes: set[str]
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yields each group of a defaults list with its (choice, what the choice's file says of itself)."""
    for entry in defaults:
        if not isinstance(entry, dict):
            continue
        (name, chosen), *_ = entry.items()
        name = name.split()[-1].lstrip("/")
        files = sorted((configs / name.partition("@")[0]).glob("[!_]*.yaml"))
        if name == "experiment" or name.startswith("optimisation"):
            files = [path for path in files if not _commands(path) & foreign_recipes]
        choices = [(path.stem + "*" * (path.stem == chosen), _first_comment(path)) for path in files]
        if files and chosen is None:
            choices.insert(0, ("null*", "none of them"))
        if choices:
            yield name, choices


def _commands(path: Path) -> set[str]:
    """The recipes whose commands stand at a file's top."""
    return {line.split()[1] for line in _header(path) if line.startswith("wavegen ")}


def _first_comment(path: Path) -> str:
    """The first line of the comment at a file's top that is neither a command nor an instruction to Hydra."""
    for line in _header(path):
        if line and not line.startswith(("wavegen ", "@package")):
            return line
    return ""


def _header(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        line.lstrip("#").strip() for line in itertools.takewhile(lambda line: line.startswith("#"), lines)
    ]


def _settings(path: Path, prefix: str = "") -> list[tuple[str, str]]:
    """(``key=default``, comment) of every leaf that a file and its bases set, nested ones with dots."""
    return [(f"{prefix}{name}={value}", comment) for name, (value, comment) in leaves(path).items()]


def leaves(path: Path) -> dict[str, tuple[str, str]]:
    """Dotted key → (default, comment) of every leaf of a configuration file.

    A file of a group may begin with others of the group (``defaults: [_base]``), whose values it overrides; a
    mapping may begin with another one (``<<: *name``). A value without a comment of its own keeps theirs.
    Mappings in braces and lists are one leaf.
    """
    text = path.read_text(encoding="utf-8")
    root, lines = yaml.compose(text, Loader=yaml.SafeLoader), text.splitlines()
    found: dict[str, tuple[str, str]] = {}

    def walk(node: yaml.MappingNode, prefix: str) -> None:
        for key, value in sorted(node.value, key=lambda pair: pair[0].value != MERGE):
            name = prefix + key.value
            if key.value == MERGE:
                walk(value, prefix)
            elif name == "defaults":
                for base in (entry.value for entry in value.value if isinstance(entry, yaml.ScalarNode)):
                    if base != "_self_":
                        found.update(leaves(path.with_name(f"{base}.yaml")))
            elif isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
                walk(value, f"{name}.")
            elif not key.value.startswith("_"):
                _, inherited = found.get(name, ("", ""))
                found[name] = _source(value, text), _comment(key, value, lines) or inherited

    if isinstance(root, yaml.MappingNode):
        walk(root, "")
    return found


def _source(value: yaml.Node, text: str) -> str:
    if isinstance(value, yaml.SequenceNode) and not value.flow_style:
        return "[…]"
    source = text[value.start_mark.index : value.end_mark.index].strip()
    return " ".join(line.strip() for line in source.splitlines())


def _comment(key: yaml.Node, value: yaml.Node, lines: list[str]) -> str:
    """The comment behind a value, or else the one right above its key."""
    in_one_line = isinstance(value, yaml.ScalarNode) or getattr(value, "flow_style", False)
    end = value.end_mark if in_one_line else key.end_mark
    behind = lines[end.line][end.column :].partition("#")[2].strip() if end.line < len(lines) else ""
    if behind:
        return behind
    above: list[str] = []
    row = key.start_mark.line - 1
    while row >= 0 and lines[row].lstrip().startswith("#"):
        above.insert(0, lines[row].lstrip().lstrip("#").strip())
        row -= 1
    return " ".join(above) if row >= 0 else ""  # what begins in the first line is about the file


def _examples(recipe: str, script: Path, configs: Path) -> list[str]:
    """The commands under "Examples:" in the docstring, and those at the configuration's top."""
    primary = configs / f"{recipe}.yaml"
    lines = _docstring(script).partition("\nExamples:\n")[2].splitlines()
    lines += _header(primary) if primary.is_file() else []
    commands = [line.strip() for line in lines if f"wavegen {recipe}" in line]
    return list(dict.fromkeys(commands))


def _table(rows: list[tuple[str, str]], *, indent: int = 2) -> list[str]:
    column = min(max(len(name) for name, _ in rows), 34)
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

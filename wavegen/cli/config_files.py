"""What a configuration file says of itself: its description, its commands, its settings and their comments.

The files are read as YAML with comments. Nothing here imports Hydra, so that help comes at once.
"""

import itertools
from pathlib import Path
from typing import Any

import yaml

from wavegen.errors import UserError

MERGE = "<<"  # YAML's key of a mapping whose entries belong to this one


def read_mapping(path: Path) -> dict[str, Any]:
    """The content of a configuration file. Raises UserError, with file and line, if it is not YAML."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise not_yaml(error, path) from error


def not_yaml(error: yaml.YAMLError, path: Path | None = None) -> UserError:
    """What to say of a file that is not YAML; by default the file that the error names."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    file = path or (mark.name if mark else "a configuration file")
    line = "" if mark is None else f", line {mark.line + 1}"
    return UserError(f"{file}{line} is not valid YAML: {problem or str(error).partition(chr(10))[0]}")


def header(path: Path) -> list[str]:
    """The lines of the comment at a file's top."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        line.lstrip("#").strip() for line in itertools.takewhile(lambda line: line.startswith("#"), lines)
    ]


def commands(path: Path) -> list[str]:
    """The commands at a file's top, without ``wavegen``."""
    return [line.removeprefix("wavegen ") for line in header(path) if line.startswith("wavegen ")]


def first_comment(path: Path) -> str:
    """The first line of the comment at a file's top that is neither a command nor an instruction to Hydra."""
    for line in header(path):
        if line and not line.startswith(("wavegen ", "@package")):
            return line
    return ""


def package_named_in(path: Path) -> str | None:
    """The key below which Hydra puts a file's settings, as ``@package`` at its top names it.

    Like Hydra, it reads the comments that begin with ``@`` and stops at the first line of another kind.
    """
    for line in filter(None, map(str.strip, path.read_text(encoding="utf-8").splitlines())):
        word, _, package = line.lstrip("#").strip().partition(" ")
        if not (line.startswith("#") and word.startswith("@")):
            return None
        if word == "@package":
            return package.strip().replace("_global_", "")
    return None


def leaves(path: Path, *, open_braces: bool = False) -> dict[str, tuple[str, str]]:
    """Dotted key → (default, comment) of every leaf of a configuration file.

    A file of a group may begin with others of the group (``defaults: [_base]``), whose values it overrides; a
    mapping may begin with another one (``<<: *name``). A value without a comment of its own keeps theirs.
    A list is one leaf, and so is a mapping in braces unless ``open_braces``.
    """
    text = path.read_text(encoding="utf-8")
    try:
        root, lines = yaml.compose(text, Loader=yaml.SafeLoader), text.splitlines()
    except yaml.YAMLError as error:
        raise not_yaml(error, path) from error
    found: dict[str, tuple[str, str]] = {}

    def walk(node: yaml.MappingNode, prefix: str) -> None:
        for key, value in sorted(node.value, key=lambda pair: pair[0].value != MERGE):
            name = prefix + key.value
            if key.value == MERGE:
                walk(value, prefix)
            elif name == "defaults":
                for base in (entry.value for entry in value.value if isinstance(entry, yaml.ScalarNode)):
                    if base != "_self_":
                        found.update(leaves(path.with_name(f"{base}.yaml"), open_braces=open_braces))
            elif _holds_settings(value) and (open_braces or not value.flow_style):
                walk(value, f"{name}.")
            elif not key.value.startswith("_"):
                _, inherited = found.get(name, ("", ""))
                found[name] = _source(value, text), _comment(key, value, lines) or inherited

    if isinstance(root, yaml.MappingNode):
        walk(root, "")
    return found


def _holds_settings(value: yaml.Node) -> bool:
    return isinstance(value, yaml.MappingNode) and len(value.value) > 0


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

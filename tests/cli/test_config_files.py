"""Every setting of a configuration is explained: behind it, above it, or in the file that it builds on."""

import itertools
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hydra.plugins.config_source import ConfigSource

from wavegen.cli.config_files import leaves, package_named_in, read_mapping
from wavegen.errors import UserError
from wavegen.resources import resource_directory

CONFIGS = resource_directory("configs")
FILES = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml"))
CHOICES = [file for file in FILES if "/" in file and "/_" not in file]
OVERLAYS = [file for file in CHOICES if file.startswith("experiment/")]
SETTINGS = [file for file in FILES if "/_" not in file and file not in OVERLAYS]


def content_of(file: str) -> dict:
    return yaml.safe_load((CONFIGS / file).read_text(encoding="utf-8")) or {}


def dotted(node: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    """The settings of a file as YAML reads it, whatever their style; a list is one."""
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from dotted(value, f"{prefix}{key}.")
        elif not key.startswith("_") and prefix + key != "defaults":
            yield prefix + key, value


def is_covered(setting: str, names: set[str]) -> bool:
    """Whether a setting is one of the names, or stands in braces behind one."""
    parts = setting.split(".")
    return any(".".join(parts[:depth]) in names for depth in range(1, len(parts) + 1))


def unexplained(file: str) -> list[str]:
    """The settings of a file without a comment."""
    found = leaves(CONFIGS / file)
    unseen = [setting for setting, _ in dotted(content_of(file)) if not is_covered(setting, set(found))]
    return [name for name, (_, explanation) in found.items() if not explanation] + unseen


@pytest.mark.parametrize("file", SETTINGS)
def test_every_setting_is_explained(file):
    names = ", ".join(unexplained(file))
    assert not names, f"configs/{file}: no comment explains {names}, see configs/README.md"


@pytest.mark.parametrize("file", SETTINGS)
def test_what_stands_in_a_list_is_explained_there_or_with_the_list(file):
    text = (CONFIGS / file).read_text(encoding="utf-8")
    lines, explanations = text.splitlines(), leaves(CONFIGS / file)
    for name, value in mappings_of(yaml.compose(text, Loader=yaml.SafeLoader)):
        if not isinstance(value, yaml.SequenceNode) or value.flow_style:
            continue
        named = re.findall(r"(\w+) \(", explanations[name][1])  # "kernel_size (taps of …)"
        for entry in value.value:
            for key, _ in entry.value if isinstance(entry, yaml.MappingNode) else ():
                row = key.start_mark.line
                commented = "# " in lines[row] or lines[row - 1].lstrip().startswith("#")
                assert commented or key.value.startswith(("_", "<<")) or key.value in named, (
                    f"configs/{file}: no comment explains {key.value} in the list {name}, see README.md there"
                )


def mappings_of(node: yaml.MappingNode, prefix: str = "") -> Iterator[tuple[str, yaml.Node]]:
    """Every setting's dotted name and node, without what the file builds on."""
    for key, value in node.value:
        if isinstance(value, yaml.MappingNode):
            yield from mappings_of(value, f"{prefix}{key.value}.")
        elif prefix + key.value != "defaults":
            yield prefix + key.value, value


@pytest.mark.parametrize("file", OVERLAYS)
def test_an_overlay_sets_what_is_explained_where_it_belongs(file):
    overlay = content_of(file)
    shown = re.search(r"^# wavegen (.*)$", (CONFIGS / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert shown, without_command(file)
    recipe, *words = shlex.split(shown[1])
    names, chosen = set(leaves(CONFIGS / f"{recipe}.yaml")), {}
    for entry in content_of(f"{recipe}.yaml")["defaults"] + overlay["defaults"]:
        for group, choice in entry.items() if isinstance(entry, dict) else ():
            chosen[group.removeprefix("override /")] = choice
    chosen |= dict(word.split("=", 1) for word in words if word.partition("=")[0] in chosen)
    for group, choice in chosen.items():
        folder, _, package = group.partition("@")
        for one in choice if isinstance(choice, list) else [choice] * (choice is not None):
            path = CONFIGS / folder / f"{one}.yaml"
            place = package or package_named_in(path) or folder
            names |= {f"{place}.{name}" for name in leaves(path)} if folder != "experiment" else set()
    for setting, value in dotted(overlay):
        is_group_left_out = value is None and any(name.startswith(f"{setting}.") for name in names)
        assert is_covered(setting, names) or is_group_left_out, (
            f"configs/{file}: no file of its groups has the setting {setting}"
        )


@pytest.mark.parametrize("file", FILES)
def test_every_file_begins_with_what_it_is(file):
    lines = (CONFIGS / file).read_text(encoding="utf-8").splitlines()
    header = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    said = [line for line in header if not line.startswith(("# wavegen ", "# @package"))]
    assert header and (said or "/" not in file), (
        f"configs/{file}: no comment at its top says what it is, see configs/README.md"
    )


def first_line(file: str) -> str:
    return (CONFIGS / file).read_text(encoding="utf-8").partition("\n")[0]


@pytest.mark.parametrize("file", CHOICES)
def test_every_choice_names_the_package_that_its_siblings_name(file):
    """Without that line, Hydra puts the settings below the group's own name, where nothing reads them."""
    siblings = [choice for choice in CHOICES if Path(choice).parent == Path(file).parent]
    named = Counter(line for line in map(first_line, siblings) if line.startswith("# @package "))
    for expected, _ in named.most_common(1):
        assert first_line(file) == expected, f"configs/{file}: expected {expected!r} as its first line"


@pytest.mark.parametrize("file", CHOICES)
def test_every_choice_shows_a_command_that_runs_it(file):
    text = (CONFIGS / file).read_text(encoding="utf-8")
    assert re.search(r"^# wavegen \w+", text, re.MULTILINE), without_command(file)


def without_command(file: str) -> str:
    group, _, name = file.removesuffix(".yaml").partition("/")
    return (
        f"configs/{file}: no line '# wavegen RECIPE {group}={name}' at its top says how to run it, see "
        "configs/README.md"
    )


def test_what_a_file_lacks_is_named(tmp_path, monkeypatch):
    (tmp_path / "objective").mkdir()
    (tmp_path / "objective" / "bad.yaml").write_text("bad:\n  weight: 1.0\n  steps:\n  - a: 1\n")
    monkeypatch.setitem(globals(), "CONFIGS", tmp_path)
    for check, message in (
        (test_every_setting_is_explained, "no comment explains bad.weight, bad.steps, see configs/README.md"),
        (
            test_what_stands_in_a_list_is_explained_there_or_with_the_list,
            "no comment explains a in the list bad.steps",
        ),
        (test_every_file_begins_with_what_it_is, "no comment at its top says what it is"),
        (
            test_every_choice_shows_a_command_that_runs_it,
            "no line '# wavegen RECIPE objective=bad' at its top",
        ),
        (test_an_overlay_sets_what_is_explained_where_it_belongs, "no line '# wavegen RECIPE objective=bad'"),
    ):
        with pytest.raises(AssertionError, match=f"configs/objective/bad.yaml: {message}"):
            check("objective/bad.yaml")


def test_a_file_that_is_not_yaml_is_named_with_the_line(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("a: 1\nb: [1, 2\nc: 3\n")
    for read in (leaves, read_mapping):
        with pytest.raises(UserError, match=r"bad.yaml, line 3 is not valid YAML: expected ',' or '\]'"):
            read(path)


# What the leaves of a file are -----------------------------------------------------------------------------


@pytest.fixture
def leaves_of(tmp_path: Path):
    def write(**files: str) -> dict[str, tuple[str, str]]:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        return leaves(tmp_path / "file.yaml")

    return write


def test_a_value_without_a_comment_keeps_that_of_the_file_it_builds_on(leaves_of):
    found = leaves_of(
        _base="a: ???  # first\nb:\n  # second\n  c: 2\n  d: 3  # third\n",
        other="defaults:\n  - _base\n\nb:\n  d: 4\n",
        file="# A file.\ndefaults:\n  - other\n\na: 1\nb:\n  c: 5  # another\ne: 6\n",
    )
    assert found == {"a": ("1", "first"), "b.c": ("5", "another"), "b.d": ("4", "third"), "e": ("6", "")}


def test_a_merged_mapping_counts_as_written_where_it_is_merged(leaves_of):
    found = leaves_of(file="a: &a\n  b: 1  # first\n  c: 2  # second\nd:\n  c: 3\n  <<: *a\n")
    assert found["d.b"] == ("1", "first") and found["d.c"] == ("3", "second")
    assert set(found) == {"a.b", "a.c", "d.b", "d.c"}


def test_a_list_is_one_setting(leaves_of):
    found = leaves_of(file="a:  # first\n  - b: 1  # in it\n    c: 2\nd: [1, 2]  # second\n")
    assert found == {"a": ("[…]", "first"), "d": ("[1, 2]", "second")}


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("# @package corpus.front_end\n# A voice.\n", "corpus.front_end"),
        ("#@package corpus\n", "corpus"),
        ("\n# @package _global_\nseed: 1\n", ""),
        ("# A voice.\n# @package corpus.front_end\n", None),
        ("seed: 1\n# @package corpus\n", None),
        ("# A voice.\n", None),
        ("", None),
    ],
)
def test_the_package_is_read_as_hydra_reads_it(tmp_path: Path, text: str, package: str | None):
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    assert package_named_in(path) == package
    of_hydra = ConfigSource._get_header_dict(text)["package"]
    assert (of_hydra and of_hydra.replace("_global_", "")) == package

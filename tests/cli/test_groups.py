"""Which groups a recipe has, and which of their choices fit it."""

from pathlib import Path

import pytest
import yaml

from wavegen.cli.composition import compose_config
from wavegen.cli.groups import check_packages, chosen_files, recipe_groups, recipes_of
from wavegen.errors import UserError
from wavegen.resources import resource_directory

CONFIGS = resource_directory("configs")
EXPERIMENTS = sorted((CONFIGS / "experiment").glob("[!_]*.yaml"))


def test_groups_are_those_of_the_defaults_list():
    groups = recipe_groups("distill", CONFIGS)
    assert list(groups)[:4] == ["corpus", "front_end", "layout", "prosody"]
    mounted = groups["optimisation@student_training"]
    assert (mounted.name, mounted.package, mounted.default) == ("optimisation", "student_training", "student")
    assert set(mounted.others) >= {"teacher", "flow", "gallery"}
    assert recipe_groups("synthesize", CONFIGS) == {}


def test_a_file_may_name_the_place_of_its_settings():
    groups = recipe_groups("distill", CONFIGS)
    assert groups["front_end"].package == "corpus.front_end" and groups["corpus"].package == "corpus"
    assert groups["experiment"].package == ""


@pytest.fixture
def placed(tmp_path: Path):
    """Groups of files with these first lines, and a function that checks the chosen file."""

    def make(group: str, default: str | None, **lines: str):
        entry = f"{group}: {default or 'null'}"
        (tmp_path / "speak.yaml").write_text(f"defaults:\n  - {entry}\n", encoding="utf-8")
        folder = tmp_path / group.partition("@")[0]
        folder.mkdir()
        for name, line in lines.items():
            (folder / f"{name}.yaml").write_text(f"{line}\nvalue: 1\n", encoding="utf-8")
        groups = recipe_groups("speak", tmp_path)
        return groups, lambda choice: check_packages(groups, chosen_files(groups, [f"{group}={choice}"]))

    return make


def test_a_file_without_its_group_s_package_is_named_with_the_line_expected(placed, tmp_path):
    lines = {"a": "# A new one.", "b": "# @package corpus.front_end", "c": "# @package corpus.frontend"}
    groups, check = placed("front_end", "b", **lines)
    assert groups["front_end"].package == "corpus.front_end"
    check("b")
    with pytest.raises(UserError) as caught:
        check("a")
    assert str(caught.value) == (
        f"{tmp_path / 'front_end' / 'a.yaml'} would put its settings below front_end: its first line must be "
        "'# @package corpus.front_end', got '# A new one.'"
    )
    with pytest.raises(UserError, match="c.yaml would put its settings below corpus.frontend: its"):
        check("c")


def test_the_default_says_where_a_group_belongs(placed):
    groups, check = placed("voice", "b", a="# @package wrong", b="# @package right")
    assert groups["voice"].package == "right"
    with pytest.raises(UserError, match="a.yaml would put its settings below wrong: .* '# @package right'"):
        check("a")


def test_an_overlay_must_be_global(placed):
    _, check = placed("experiment", None, loud="# Loud.", soft="# @package _global_")
    check("soft")
    with pytest.raises(UserError, match="below experiment: its first line must be '# @package _global_'"):
        check("loud")


@pytest.mark.parametrize("group", ["voice", "voice@speaker"])
def test_a_group_of_its_own_name_needs_no_line(placed, group):
    groups, check = placed(group, "a", a="# One.", b="# @package voice", c="# @package other")
    assert list(groups[group].choices) == ["a", "b", "c"]
    check("a")
    check("b")
    if "@" in group:  # the defaults list says where, whatever the file says
        check("c")
    else:
        with pytest.raises(UserError, match="c.yaml would put its settings below other"):
            check("c")


def test_what_choices_share_is_no_choice():
    for group in recipe_groups("flow", CONFIGS).values():
        assert not any(name.startswith("_") for name in (*group.choices, *group.others))


def test_choices_are_sorted_files_of_the_group_s_folder(tmp_path: Path):
    (tmp_path / "speak.yaml").write_text("defaults:\n  - corpus: b\n", encoding="utf-8")
    for name in ("b.yaml", "a.yaml", "deep/c.yaml", "_base.yaml", "deep/_base.yaml", "notes.txt"):
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (group,) = recipe_groups("speak", tmp_path).values()
    assert (list(group.choices), group.default, group.others) == (["a", "b", "deep/c"], "b", {})


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_fits_the_recipes_it_names(path: Path):
    """It overrides groups that they have, and sets keys that they have."""
    assert recipes_of(path)
    for recipe in recipes_of(path):
        assert path.stem in recipe_groups(recipe, CONFIGS)["experiment"].choices
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        overridden = [f"{name.removeprefix('override /')}={choice}" for name, choice in pairs(document)]
        without = compose_config(recipe, overridden, configs=CONFIGS)
        with_it = compose_config(recipe, [f"experiment={path.stem}"], configs=CONFIGS)
        assert keys_of(with_it) == keys_of(without)


def pairs(document: dict) -> list[tuple[str, str]]:
    return [pair for entry in document["defaults"] if isinstance(entry, dict) for pair in entry.items()]


def keys_of(node: object) -> object:
    """The names in a configuration, without what an experiment may leave out (``schedule: null``)."""
    if not hasattr(node, "keys"):
        return None
    return {key: keys_of(node._get_node(key)) for key in node if key != "schedule"}


def test_the_chosen_file_is_the_given_one_the_experiment_s_or_the_default():
    groups = recipe_groups("distill", CONFIGS)

    def teachers(*words):
        return [path.stem for path in chosen_files(groups, words)["teacher"]]

    assert teachers() == ["tiny"] and "experiment" not in chosen_files(groups, [])
    assert teachers("experiment=ljspeech_cpu") == ["small"]
    assert teachers("experiment=ljspeech_cpu", "teacher=paper") == ["paper"]
    assert teachers("experiment=mnist_glow", "teacher=none-such") == ["tiny"]


def test_several_files_of_a_group_are_chosen_with_brackets():
    groups = recipe_groups("distill", CONFIGS)
    assert "term" not in chosen_files(groups, []) and "term" not in chosen_files(groups, ["term=null"])
    chosen = chosen_files(groups, ["term=[spectral_shape, frame_level,none-such]"])["term"]
    assert [path.stem for path in chosen] == ["spectral_shape", "frame_level"]
    config = compose_config("distill", ["term=[spectral_shape,frame_level]"], configs=CONFIGS)
    assert list(config.objective) == ["power", "divergence", "spectral_shape", "frame_level"]


def test_each_of_several_overlays_is_read_and_the_last_one_wins(tmp_path: Path):
    (tmp_path / "speak.yaml").write_text("defaults:\n  - voice: a\n  - term: null\n  - experiment: null\n")
    for name in ("voice/a", "voice/b", "voice/c", "term/x", "term/y"):
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "experiment").mkdir()
    for name, entries in {"one": "[{override /voice: b}]", "two": "[{override /voice: c}]"}.items():
        (tmp_path / "experiment" / f"{name}.yaml").write_text(f"defaults: {entries}\n")
    (tmp_path / "experiment" / "many.yaml").write_text("defaults: [{override /term: [x, y]}]\n")
    groups = recipe_groups("speak", tmp_path)
    chosen = chosen_files(groups, ["experiment=[one,two,many]"])
    assert [path.stem for path in chosen["voice"]] == ["c"]
    assert [path.stem for path in chosen["term"]] == ["x", "y"]


def test_a_file_without_commands_fits_every_recipe(tmp_path: Path):
    (tmp_path / "speak.yaml").write_text("defaults:\n  - experiment: null\n", encoding="utf-8")
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("seed: 1\n", encoding="utf-8")
    assert list(recipe_groups("speak", tmp_path)["experiment"].choices) == ["mine"]

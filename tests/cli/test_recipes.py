from pathlib import Path

import pytest

from wavegen.cli.recipes import PIPELINE, docstring, examples, find_recipes
from wavegen.errors import UserError
from wavegen.resources import resource_directory


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_pipeline_comes_first_and_the_rest_by_name():
    names = list(find_recipes(resource_directory("recipes")))
    assert names[: len(PIPELINE)] == list(PIPELINE)
    assert names[len(PIPELINE) :] == sorted(names[len(PIPELINE) :]) and "flow" in names


def test_a_script_that_begins_with_an_underscore_is_no_recipe(tmp_path):
    script = write(tmp_path / "audio/speak.py", "")
    write(tmp_path / "audio/_shared.py", "")
    assert find_recipes(tmp_path) == {"speak": script}


def test_a_folder_without_recipes_is_named(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path} has no recipe"):
        find_recipes(tmp_path)


def test_examples_are_those_of_the_docstring_and_of_the_configuration_each_once(tmp_path):
    script = write(
        tmp_path / "audio/speak.py",
        '"""Speaks.\n\nExamples:\n    wavegen speak text=a\n    wavegen other\n"""\n1 / 0\n',
    )
    write(
        tmp_path / "speak.yaml",
        "# wavegen speak text=b\n# wavegen speak text=a\nseed: 0\n# wavegen speak c\n",
    )
    assert docstring(script).startswith("Speaks.")
    assert examples("speak", script, tmp_path) == ["wavegen speak text=a", "wavegen speak text=b"]


def test_a_script_without_docstring_says_so(tmp_path):
    assert docstring(write(tmp_path / "audio/speak.py", "x = 1\n")) == "(no description)"

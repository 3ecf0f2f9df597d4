"""What is given for a run folder and is none is said in one sentence, before anything is written."""

from pathlib import Path

import pytest

from wavegen.cli.main import main

README = Path(__file__).parents[2] / "README.md"
GIVEN = {
    "synthesize": ["text=Hello", "checkpoint={path}"],
    "evaluate": ["checkpoint={path}"],
    "distill": ["teacher_checkpoint={path}"],
    "distill resume": ["resume={path}"],
    "teacher": ["resume={path}"],
    "flow": ["resume={path}"],
    "gallery": ["resume={path}"],
    "duality": ["resume={path}"],
}


@pytest.mark.parametrize(
    ("path", "said"),
    [(README, "is a file, not a run folder"), ("none-such", "does not exist, expected a run folder")],
)
@pytest.mark.parametrize("recipe", GIVEN)
def test_a_path_that_is_no_folder_is_said_to_be_none(
    recipe: str, path: Path | str, said: str, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    words = [word.format(path=path) for word in GIVEN[recipe]]
    assert main([recipe.split()[0], *words]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert f"{path} {said}" in captured.err
    assert list(tmp_path.iterdir()) == []

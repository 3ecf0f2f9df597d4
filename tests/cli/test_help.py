"""Help lists the training settings of a recipe, and the choices that fit it."""

import pytest

from wavegen.cli.help import describe
from wavegen.resources import resource_directory

CONFIGS, RECIPES = resource_directory("configs"), resource_directory("recipes")


def help_of(recipe: str, *arguments: str) -> str:
    """Help with single blanks, so that a wrapped explanation is one text."""
    return " ".join(describe(recipe, RECIPES, CONFIGS, arguments).split())


def choices_of(recipe: str, key: str) -> list[str]:
    lines = describe(recipe, RECIPES, CONFIGS).splitlines()
    start = lines.index(f"  {key}") + 1
    names = []
    for line in lines[start:]:
        if not line.startswith("    "):
            break
        names += [line.split()[0].rstrip("*")] if line[4] != " " else []
    return names


@pytest.mark.parametrize(
    ("recipe", "training"),
    [
        ("teacher", "teacher_training"),
        ("distill", "teacher_training"),
        ("distill", "student_training"),
        ("flow", "flow_training"),
    ],
)
def test_the_most_used_training_settings_are_shown_with_their_explanations(recipe, training):
    text = help_of(recipe)
    for setting, explanation in {
        "max_steps": "steps of the optimiser",
        "max_minutes": "minutes of wall time, validations included;",
        "batch_size": "examples in a batch of each process: segments, images or rows",
        "optimizer.lr": "highest learning rate",
    }.items():
        shown = text.partition(f" {training}.{setting}=")[2].split(" ", 1)
        assert shown[1].startswith(explanation), setting
    assert f"{training}.dev_batches" not in text


def test_a_training_setting_is_shown_as_the_command_would_have_it():
    assert "teacher_training.max_steps=200 " in help_of("distill")
    assert "student_training.max_steps=260 " in help_of("distill")
    text = help_of("distill", "experiment=ljspeech_cpu")
    assert "teacher_training.max_steps=6000 " in text and "student_training.max_minutes=40.0 " in text


@pytest.mark.parametrize("recipe", ["gallery", "duality"])
def test_a_short_training_is_shown_whole(recipe):
    text = help_of(recipe)
    for setting in ("max_steps", "max_minutes", "optimizer.lr", "schedule.warmup", "gradient_clip"):
        assert f" optimisation.{setting}=" in text


def test_all_settings_of_a_training_are_shown_on_demand():
    text = help_of("distill", "optimisation@student_training=student")
    shown = text.partition("settings of optimisation@student_training=student")[2]
    assert " student_training.dev_batches=4 " in shown and " student_training.max_steps=260 " in shown


def test_settings_of_several_choices_of_a_group_are_shown():
    text = help_of("distill", "term=[spectral_shape,frame_level]")
    assert " settings of term=spectral_shape objective.spectral_shape.loss.sample_rate=" in text
    shown = text.partition(" settings of term=frame_level ")[2]
    assert " objective.frame_level.loss.num_bands=1 mel bands between" in shown


def test_settings_of_an_experiment_have_their_own_keys_and_the_explanations_of_their_groups():
    text = help_of("flow", "experiment=cifar10_flow_plus_plus").partition("settings of experiment=")[2]
    assert " flow_model.transform.num_components=32 " in text
    assert " flow_training.batch_size=64 examples in a batch of each process" in text
    assert "experiment.flow" not in text


def test_a_training_lists_the_optimisations_made_for_it():
    assert choices_of("teacher", "optimisation@teacher_training") == ["teacher"]
    assert choices_of("distill", "optimisation@teacher_training") == ["teacher"]
    assert choices_of("distill", "optimisation@student_training") == ["student"]
    assert choices_of("flow", "optimisation@flow_training") == ["flow"]
    assert choices_of("gallery", "optimisation") == ["gallery"]


def test_a_recipe_lists_the_experiments_made_for_it():
    assert choices_of("distill", "experiment") == ["null", "ljspeech_cpu", "parallel_wavenet"]
    assert set(choices_of("flow", "experiment")) >= {"null", "mnist_glow", "table_maf"}
    assert not {"ljspeech_cpu", "parallel_wavenet"} & set(choices_of("flow", "experiment"))
    assert "  experiment" not in describe("teacher", RECIPES, CONFIGS).splitlines()
    assert "parallel_wavenet" not in help_of("teacher")

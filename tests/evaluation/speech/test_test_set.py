"""Which corpus a voice is measured on, and where that is written."""

import dataclasses
import inspect

import pytest
from omegaconf import OmegaConf

from wavegen.cli.composition import compose_config
from wavegen.errors import UserError
from wavegen.evaluation.speech.evaluate import evaluate_voice
from wavegen.evaluation.speech.test_set import default_output, open_corpus
from wavegen.resources import resource_directory

NO_CHOICE = OmegaConf.create({"directory": None})


def own_corpus(run, directory):
    run.mkdir(exist_ok=True)
    (run / "config.yaml").write_text(f"corpus: {{directory: {directory}}}\n", encoding="utf-8")
    return run


def test_a_run_is_measured_on_its_own_corpus_in_its_own_folder(corpus, tmp_path):
    run = own_corpus(tmp_path / "run", corpus.directory)
    opened = open_corpus(NO_CHOICE, run)
    assert opened.directory == corpus.directory
    assert default_output(run, opened) == run


def test_another_corpus_leaves_the_runs_own_evaluation_alone(corpus, tmp_path):
    run = own_corpus(tmp_path / "run", tmp_path / "its own")
    opened = open_corpus(OmegaConf.create({"directory": str(corpus.directory)}), run)
    assert default_output(run, opened) == run / f"evaluation-{corpus.name}"
    outside = dataclasses.replace(corpus, name="../../home")
    assert default_output(run, outside).parent == run
    (run / "config.yaml").unlink()
    assert default_output(run, opened) == run / f"evaluation-{corpus.name}"


def test_a_relative_directory_is_looked_for_where_one_stands(corpus, tmp_path, monkeypatch):
    run = own_corpus(tmp_path / "run", corpus.directory.name)
    monkeypatch.chdir(corpus.directory.parent)
    assert default_output(run, open_corpus(NO_CHOICE, run)) == run
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with pytest.raises(UserError, match=f"does not exist below {elsewhere}: .*corpus.directory=DIR"):
        open_corpus(NO_CHOICE, run)


@pytest.mark.parametrize(
    "content",
    ["", "corpus: {directory: null}", "corpus: {directory: 3}", "corpus: x", "[", None]
    + ["corpus: {directory: !!python/object/apply:pathlib.Path [x]}", "'corpus: {directory: x}'"],
)
def test_a_run_that_names_no_corpus_is_said(tmp_path, content):
    if content is not None:
        (tmp_path / "config.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match="config.yaml does not name a corpus.*corpus.directory=DIR"):
        open_corpus(NO_CHOICE, tmp_path)


def test_a_run_handed_over_resolves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    run = own_corpus(tmp_path / "run", "'${oc.env:SECRET}'")
    with pytest.raises(UserError, match="does not exist") as caught:
        open_corpus(NO_CHOICE, run)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("recipe, words", [("distill", []), ("evaluate", ["checkpoint=RUN"])])
def test_both_recipes_offer_every_setting_of_an_evaluation(recipe, words):
    config = compose_config(recipe, words, configs=resource_directory("configs"))
    given = {"voice", "corpus", "output_directory", "seed", "pitch", "run_directory", "progress"}
    assert set(config.evaluation) == inspect.signature(evaluate_voice).parameters.keys() - given

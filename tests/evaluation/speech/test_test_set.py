"""Which corpus a voice is measured on, and where that is written."""

import dataclasses
import inspect

import pytest
from omegaconf import OmegaConf

from wavegen.cli.composition import compose_config
from wavegen.errors import UserError
from wavegen.evaluation.speech.evaluate import evaluate_voice
from wavegen.evaluation.speech.test_set import beginning, default_output, first_seconds, open_corpus
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
    assert default_output(run, opened, "dev") == run / "evaluation-dev"


def test_another_corpus_leaves_the_runs_own_evaluation_alone(corpus, tmp_path):
    run = own_corpus(tmp_path / "run", tmp_path / "its own")
    opened = open_corpus(OmegaConf.create({"directory": str(corpus.directory)}), run)
    assert default_output(run, opened) == run / f"evaluation-{corpus.name}"
    assert default_output(run, opened, "dev") == run / f"evaluation-{corpus.name}-dev"
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
    # Of `evaluate`, the device is a setting of the command, as of `synthesize` and `benchmark`.
    offered = {*config.evaluation, *({"device"} & set(config))}
    assert offered == inspect.signature(evaluate_voice).parameters.keys() - given


def test_a_limit_keeps_whole_utterances_from_the_first_on(corpus):
    utterances = list(corpus.utterances("test"))
    rate, hop_samples = corpus.sample_rate, corpus.hop_samples
    lengths = [utterance.waveform.shape[-1] for utterance in utterances]
    for seconds, expected in (
        (None, lengths),
        (sum(lengths) / rate, lengths),
        (sum(lengths) / rate - 0.01, lengths[:1]),
        (0.1, [800]),
        (0.0, [hop_samples]),
    ):
        chosen = first_seconds(utterances, seconds, rate, hop_samples)
        assert [utterance.waveform.shape[-1] for utterance in chosen] == expected, seconds
    assert first_seconds([], 1.0, rate, hop_samples) == []


def test_a_beginning_has_the_phones_that_end_within_it(corpus):
    utterance = next(corpus.utterances("test"))
    cut = beginning(utterance, corpus.sample_rate // 2, corpus.hop_samples)
    assert cut.phones == [phone for phone in utterance.phones if phone.end_s <= 0.5] and cut.phones
    silence = dataclasses.replace(utterance.phones[0], phone="_")
    pausing = dataclasses.replace(utterance, phones=[silence, *utterance.phones[1:]])
    (left,) = beginning(pausing, corpus.sample_rate // 100, corpus.hop_samples).phones
    assert left == dataclasses.replace(silence, end_s=0.01), "what is left of a pause"

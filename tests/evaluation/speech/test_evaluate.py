"""A whole evaluation of real models on a real, small corpus: what it measures, writes and refuses."""

import dataclasses
import json
import math
import sys

import pytest
import soundfile
import torch

from wavegen.audio.pitch import PyinPitch
from wavegen.data.speech.corpus import Corpus
from wavegen.errors import UserError
from wavegen.evaluation.speech.evaluate import evaluate_voice
from wavegen.evaluation.speech.test_set import beginning, load_utterances
from wavegen.evaluation.tally import as_json
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.phone_layout import PhoneLayout
from wavegen.metrics.distortion_registry import DISTORTION, EXTENT, RECOGNISER
from wavegen.metrics.registry import LIKELIHOOD, SPEED
from wavegen.report.systems import BESIDE_TEACHER, SYSTEM_TITLES
from wavegen.runs.voice import load_voice

EXPECTED = """
teacher/bits_per_sample teacher/bits_per_sample_low teacher/bits_per_sample_high
teacher/bits_per_sample_without_pauses teacher/bits_per_sample_shuffled
teacher/shuffled_gap_bits teacher/shuffled_gap_bits_low teacher/shuffled_gap_bits_high
linear_predictor/bits_per_sample student/kl_nats_per_sample
student/log_spectral_distance_db student/mel_cepstral_distortion_db student/f0_rmse_hz student/voicing_error
teacher/log_spectral_distance_db griffin_lim/log_spectral_distance_db white_noise/log_spectral_distance_db
student/samples_per_second teacher_cached/samples_per_second teacher_uncached/samples_per_second
student/voiced_level_db recording/pause_level_dbfs teacher/harmonicity_db recording/harmonicity_db
student/global_variance_db student/extended_stoi shuffled/extended_stoi recording/measured_s
student_beside_teacher/extended_stoi student_beside_teacher/extended_stoi_low
""".split()


def test_every_promised_metric_is_there_and_is_plain_json(evaluation):
    assert set(EXPECTED) <= set(evaluation.metrics)
    written = json.loads((evaluation.output / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert set(written) == set(evaluation.metrics)
    assert all(value is None or isinstance(value, float) for value in written.values())


def test_every_number_is_in_the_registry(evaluation):
    """Behind the system's name where there is one for every system; intervals beside their means."""
    systems = [*SYSTEM_TITLES, *(name + BESIDE_TEACHER for name in ("recording", "student"))]
    by_system = {f"{system}/{metric.key}" for system in systems for metric in (*DISTORTION, EXTENT)}
    known = by_system | {metric.key for metric in (*LIKELIHOOD, *SPEED)}
    for key in evaluation.metrics:
        mean = key.removesuffix("_low").removesuffix("_high")
        assert mean in known and mean in evaluation.metrics, key


def test_every_mean_has_an_interval(evaluation):
    """Over two utterances the mean lies within it; what is measured once has none."""
    single = ("samples_per_second", EXTENT.key)
    for key, value in evaluation.metrics.items():
        if not key.endswith((*single, "_low", "_high")):
            low, high = (evaluation.metrics[f"{key}{end}"] for end in ("_low", "_high"))
            if value is None or low is None:
                assert low is high is None, key
            else:
                assert low - 1e-6 <= value <= high + 1e-6, key


def test_samples_are_16_bit_and_as_long_as_the_recording_but_for_the_teachers(evaluation, corpus):
    first, second = evaluation.index["utterances"]
    assert first["cut_short"] == ["teacher"] and second["cut_short"] == []
    assert set(first["samples"]) - set(second["samples"]) == {"teacher"}
    for utterance in (first, second):
        infos = {
            name: soundfile.info(evaluation.output / file) for name, file in utterance["samples"].items()
        }
        assert {info.subtype for info in infos.values()} == {"PCM_16"}
        if "teacher" in infos:
            assert infos.pop("teacher").frames == 0.6 * corpus.sample_rate
        assert {info.frames for info in infos.values()} == {
            round(utterance["duration_s"] * corpus.sample_rate)
        }
        for picture in (*utterance["spectrograms"].values(), utterance["pitch"]):
            assert (evaluation.output / picture).stat().st_size > 2000


def test_another_evaluation_gives_the_same_numbers_but_for_speed(evaluation, corpus, run_directory, tmp_path):
    voice = load_voice(run_directory)
    voice.teacher = None  # and a voice without a teacher is evaluated too
    metrics = evaluate_voice(voice, corpus, tmp_path, max_shown_utterances=1, progress=False)
    assert (
        not any(key.startswith("teacher") for key in metrics) and "student/kl_nats_per_sample" not in metrics
    )
    for key, value in metrics.items():
        if "per_second" not in key:
            # FFTs of one signal may differ in the last bit, by where it lies in memory.
            expected = evaluation.metrics[key]
            if expected is None:
                assert value is None, key
            else:
                assert value == pytest.approx(expected, rel=1e-9, abs=1e-12), key


def test_pitch_is_tracked_as_the_corpus_was(corpus, run_directory, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    voice = load_voice(run_directory)
    voice.teacher = None
    other = dataclasses.replace(corpus, pitch=PyinPitch())
    few = {"max_utterances": 1, "max_spoken_utterances": 1}
    evaluate_voice(voice, other, tmp_path, **few, progress=False)
    index = json.loads((tmp_path / "samples" / "index.json").read_text())
    assert index["setup"]["Pitch tracker"] == "PyinPitch"
    duration_s = next(corpus.utterances("test")).waveform.shape[-1] / corpus.sample_rate
    assert index["setup"]["Spoken"] == f"1 test utterance, {duration_s:.1f} s"


def test_a_corpus_that_does_not_fit_is_refused(corpus, run_directory, tmp_path):
    voice = load_voice(run_directory)
    with pytest.raises(UserError, match="8000 Hz.*16000 Hz.*corpus.sample_rate=8000"):
        evaluate_voice(voice, dataclasses.replace(corpus, sample_rate=16000), tmp_path)
    layout = PhoneLayout(context_width=1)
    encoder = FeatureEncoder(layout, corpus.encoder.mean.tolist(), corpus.encoder.std.tolist())
    with pytest.raises(UserError, match=f"{run_directory} .*feature layout"):
        other = dataclasses.replace(corpus, encoder=encoder)
        evaluate_voice(voice, other, tmp_path, run_directory=run_directory)
    assert not list(tmp_path.iterdir())


def test_a_foreign_corpus_is_encoded_with_the_voices_scalers(corpus, run_directory):
    voice = load_voice(run_directory)
    shifted = FeatureEncoder(
        corpus.encoder.layout, (corpus.encoder.mean + 1).tolist(), corpus.encoder.std.tolist()
    )
    foreign = dataclasses.replace(corpus, encoder=shifted)
    seen = next(load_utterances(voice, foreign, "test"))
    own = next(corpus.utterances("test"))
    assert torch.equal(seen.context["features"], own.context["features"])


def test_beginnings_are_whole_frames(corpus):
    utterance = beginning(next(corpus.utterances("test")), 1003, corpus.hop_samples)
    assert utterance.waveform.shape == (1000,)
    assert utterance.context["features"].shape[-1] == 25


def test_a_limited_teacher_is_compared_on_its_own_speech(evaluation, corpus):
    """Everything else is measured on all utterances, and once more on what the teacher speaks."""
    everything, beside = evaluation.index["tables"]
    assert everything[:2] == ["recording", "student"] and "white_noise" in everything
    assert beside == ["recording_beside_teacher", "teacher", "student_beside_teacher"]
    spoken = sum(u.waveform.shape[-1] for u in corpus.utterances("test")) / corpus.sample_rate
    seconds = {name: evaluation.metrics[f"{name}/measured_s"] for name in (*everything, *beside)}
    assert {seconds[name] for name in everything} == {spoken}
    assert {seconds[name] for name in beside} == {0.6}
    metric = "log_spectral_distance_db"
    assert evaluation.metrics[f"student_beside_teacher/{metric}"] != evaluation.metrics[f"student/{metric}"]


def test_a_teacher_that_speaks_everything_is_in_the_one_table(corpus, run_directory, tmp_path):
    few = {"max_utterances": 1, "max_spoken_utterances": 1}
    metrics = evaluate_voice(
        load_voice(run_directory), corpus, tmp_path, max_teacher_seconds=None, progress=False, **few
    )
    (table,) = json.loads((tmp_path / "samples" / "index.json").read_text())["tables"]
    assert table[:3] == ["recording", "teacher", "student"]
    assert metrics["teacher/measured_s"] == metrics["recording/measured_s"]
    assert not any(BESIDE_TEACHER in key for key in metrics)


def test_without_the_recogniser_one_line_says_so(corpus, run_directory, tmp_path, monkeypatch, capsys):
    for package in (RECOGNISER, "pesq", "pyworld"):
        monkeypatch.setitem(sys.modules, package, None)
    voice = load_voice(run_directory)
    voice.teacher = None
    metrics = evaluate_voice(voice, corpus, tmp_path, max_spoken_utterances=1, progress=False)
    assert "pocketsphinx is not installed" in capsys.readouterr().out
    missing = ("phone_accuracy", "phone_accuracy_relative", "sentence_choice", "pesq_mos")
    assert not any(key.endswith(missing) or key.startswith("world") for key in metrics)
    index = json.loads((tmp_path / "samples" / "index.json").read_text())
    assert index["setup"]["Not installed"] == "pocketsphinx, pesq, pyworld"
    assert "Phones heard" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_json_has_null_for_what_is_no_number():
    assert json.loads(as_json({"b": math.nan, "a": 1.23456789, "c": None})) == {
        "a": 1.23457,
        "b": None,
        "c": None,
    }


def test_a_corpus_without_test_utterances_is_refused(corpus: Corpus, run_directory, tmp_path):
    with pytest.raises(UserError, match="no test utterances"):
        evaluate_voice(load_voice(run_directory), corpus, tmp_path, max_utterances=0)
    with pytest.raises(UserError, match="no dev utterances"):
        evaluate_voice(load_voice(run_directory), corpus, tmp_path, split="dev", max_utterances=0)


def test_a_voice_is_not_measured_on_what_it_was_trained_on(corpus: Corpus, run_directory, tmp_path):
    with pytest.raises(UserError, match="expected the split test or dev, got 'train'"):
        evaluate_voice(load_voice(run_directory), corpus, tmp_path, split="train")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_voice_is_evaluated_on_another_device(evaluation, corpus, run_directory, tmp_path, device):
    """The same likelihoods and nearly the same speech; what is measured by draws of the device differs."""
    metrics = evaluate_voice(
        load_voice(run_directory),
        corpus,
        tmp_path,
        max_teacher_seconds=0.6,
        device=device.type,
        run_directory=run_directory,
        progress=False,
    )
    assert metrics.keys() == evaluation.metrics.keys()
    for key in (
        "teacher/bits_per_sample",
        "student/log_spectral_distance_db",
        "teacher/mel_cepstral_distortion_db",
    ):
        assert metrics[key] == pytest.approx(evaluation.metrics[key], rel=1e-2), key
    index = json.loads((tmp_path / "samples" / "index.json").read_text(encoding="utf-8"))
    assert str(device) in index["machine"] and "models on" not in evaluation.index["machine"]

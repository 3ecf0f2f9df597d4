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
from wavegen.evaluation.speech.evaluate import as_written, evaluate_voice
from wavegen.evaluation.speech.test_set import beginning, load_utterances
from wavegen.evaluation.tally import as_json
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.phone_layout import PhoneLayout
from wavegen.metrics.registry import DISTORTION, LIKELIHOOD, SPEED
from wavegen.report.systems import SYSTEM_TITLES
from wavegen.runs.voice import load_voice

EXPECTED = """
teacher/bits_per_sample teacher/bits_per_sample_low teacher/bits_per_sample_high
teacher/bits_per_sample_without_pauses teacher/bits_per_sample_shuffled
teacher/shuffled_gap_bits teacher/shuffled_gap_bits_low teacher/shuffled_gap_bits_high
linear_predictor/bits_per_sample student/kl_nats_per_sample
student/log_spectral_distance_db student/mel_cepstral_distortion_db student/f0_rmse_hz student/voicing_error
teacher/log_spectral_distance_db griffin_lim/log_spectral_distance_db white_noise/log_spectral_distance_db
student/samples_per_second teacher_cached/samples_per_second teacher_uncached/samples_per_second
recording/level_rms student/level_rms_voiced teacher/harmonicity_db recording/harmonicity_db
""".split()


def test_every_promised_metric_is_there_and_is_plain_json(evaluation):
    assert set(EXPECTED) <= set(evaluation.metrics)
    written = json.loads((evaluation.output / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert set(written) == set(evaluation.metrics)
    assert all(value is None or isinstance(value, float) for value in written.values())


def test_every_number_is_in_the_registry(evaluation):
    """Behind the system's name where there is one for every system; intervals beside their means."""
    by_system = {f"{system}/{metric.key}" for system in SYSTEM_TITLES for metric in DISTORTION}
    known = by_system | {metric.key for metric in (*LIKELIHOOD, *SPEED)}
    for key in evaluation.metrics:
        mean = key.removesuffix("_low").removesuffix("_high")
        assert mean in known and mean in evaluation.metrics, key


def test_samples_are_16_bit_and_equally_long(evaluation, corpus):
    assert len(evaluation.index["utterances"]) == 2
    for utterance in evaluation.index["utterances"]:
        infos = [soundfile.info(evaluation.output / name) for name in utterance["samples"].values()]
        assert len(infos) == 5
        assert {info.subtype for info in infos} == {"PCM_16"}
        assert {info.frames for info in infos} == {round(utterance["duration_s"] * corpus.sample_rate)}
        for picture in (*utterance["spectrograms"].values(), utterance["pitch"]):
            assert (evaluation.output / picture).stat().st_size > 2000


def test_another_evaluation_gives_the_same_numbers_but_for_speed(evaluation, corpus, run_directory, tmp_path):
    voice = load_voice(run_directory)
    voice.teacher = None  # and a voice without a teacher is evaluated too
    metrics = evaluate_voice(voice, corpus, tmp_path, max_teacher_seconds=0.6, progress=False)
    assert (
        not any(key.startswith("teacher") for key in metrics) and "student/kl_nats_per_sample" not in metrics
    )
    for key, value in metrics.items():
        if "per_second" not in key:
            assert value == evaluation.metrics[key], key


def test_pitch_is_tracked_as_the_corpus_was(corpus, run_directory, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    voice = load_voice(run_directory)
    voice.teacher = None
    other = dataclasses.replace(corpus, pitch=PyinPitch())
    few = {"max_utterances": 1, "max_spoken_utterances": 1, "max_teacher_seconds": 0.3}
    evaluate_voice(voice, other, tmp_path, **few, progress=False)
    index = json.loads((tmp_path / "samples" / "index.json").read_text())
    assert index["setup"]["Pitch tracker"] == "PyinPitch"
    assert index["setup"]["Spoken"] == "1 utterance, up to 0.3 s each"


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


def test_what_is_judged_is_what_a_file_can_hold():
    written = as_written(torch.tensor([1.7, -3.0, 0.1]), "student")
    assert written.tolist() == [1 - 2**-15, -1.0, round(0.1 * 32768) / 32768]
    with pytest.raises(UserError, match="student.*finite"):
        as_written(torch.tensor([0.0, math.nan]), "student")


def test_json_has_null_for_what_is_no_number():
    assert json.loads(as_json({"b": math.nan, "a": 1.23456789, "c": None})) == {
        "a": 1.23457,
        "b": None,
        "c": None,
    }


def test_a_corpus_without_test_utterances_is_refused(corpus: Corpus, run_directory, tmp_path):
    with pytest.raises(UserError, match="no test utterances"):
        evaluate_voice(load_voice(run_directory), corpus, tmp_path, max_utterances=0)

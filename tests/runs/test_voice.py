"""Voices on disk: the same bits come back, and whatever is wrong with a file is said in one sentence."""

import dataclasses
import runpy
from pathlib import Path

import pytest
import torch

from wavegen.errors import UserError
from wavegen.runs.manifest import write_manifest
from wavegen.runs.voice import load_voice, require_match
from wavegen.runs.weights import build_model, save_weights

small_voice = runpy.run_path(str(Path(__file__).with_name("small_voice.py")))
TEACHER, STUDENT, rewrite, files, assert_refused = (
    small_voice[name] for name in ("TEACHER", "STUDENT", "rewrite", "files", "assert_refused")
)


def test_round_trip_is_bit_equal(run, description):
    teacher, student = build_model(TEACHER, source="test"), build_model(STUDENT, source="test")
    save_weights(run, "teacher", teacher)
    assert load_voice(run).student is None
    write_manifest(run, {"student": STUDENT}, description)
    save_weights(run, "student", student)
    voice = load_voice(str(run))
    for saved, loaded in ((teacher, voice.teacher), (student, voice.student)):
        assert saved.state_dict().keys() == loaded.state_dict().keys()
        for name, tensor in saved.state_dict().items():
            assert torch.equal(tensor, loaded.state_dict()[name]), name
        assert not loaded.training
    assert (voice.sample_rate, voice.hop_samples) == (8000, 40)
    assert voice.encoder.to_dict() == description["encoder"]
    assert voice.config == {"teacher": TEACHER, "student": STUDENT}
    assert sorted(files(run)) == ["manifest.json", "student.safetensors", "teacher.safetensors"]


def test_a_run_that_was_trained_on_another_device_is_read_on_the_cpu(run, device):
    teacher = build_model(TEACHER, source="test")
    save_weights(run, "teacher", teacher.to(device))
    voice = load_voice(run)
    assert {tensor.device.type for tensor in voice.teacher.state_dict().values()} == {"cpu"}
    assert {tensor.device for tensor in voice.to(device).teacher.state_dict().values()} == {device}
    for name, tensor in teacher.state_dict().items():
        assert torch.equal(tensor, voice.teacher.state_dict()[name]), name


@pytest.mark.parametrize(("name", "other"), [("teacher", STUDENT), ("student", TEACHER)])
def test_a_model_of_the_other_kind_is_refused(tmp_path, description, name, other):
    write_manifest(tmp_path, {name: other}, description)
    save_weights(tmp_path, name, build_model(other, source="test"))
    assert_refused(
        tmp_path, tmp_path / "manifest.json", f"{name} is a {other['_target_'].rpartition('.')[2]}"
    )


@pytest.mark.parametrize("key", ["sample_rate", "hop_samples", "encoder", "models"])
def test_a_missing_entry_is_named(run, key):
    rewrite(run, lambda content: content.pop(key))
    assert_refused(run, run / "manifest.json", f"no valid entry '{key}'")


@pytest.mark.parametrize(
    "sample_rate, hop_samples",
    [(10**12, 5 * 10**9), (8000, 10**9), (8000, -40), (0, 0), (7800, 39), (8040, 40), (192_200, 961)],
)
def test_a_voice_of_no_sample_rate_is_named(run, sample_rate, hop_samples):
    rewrite(run, lambda content: content.update(sample_rate=sample_rate, hop_samples=hop_samples))
    assert_refused(run, run / "manifest.json", f"sample_rate {sample_rate} and hop_samples {hop_samples}")


def test_a_malformed_encoder_is_named(run):
    rewrite(run, lambda content: content["encoder"].update(mean=["none"]))
    assert_refused(run, run / "manifest.json", "malformed feature encoder")
    rewrite(run, lambda content: content["encoder"].update(mean=[0.0] * 6))
    rewrite(run, lambda content: content["encoder"]["layout"].update(context_width=10**5))
    assert_refused(run, run / "manifest.json", "context_width must be within 0 to 32, got 100000")


def test_folders_without_a_voice_are_named(run, tmp_path):
    assert_refused(tmp_path / "none", tmp_path / "none", "does not exist, expected a run folder")
    (tmp_path / "README.md").write_text("no voice")
    assert_refused(tmp_path / "README.md", "README.md", "is a file, not a run folder")
    (tmp_path / "empty").mkdir()
    assert_refused(tmp_path / "empty", "is not the folder of a trained model", "manifest.json is missing")
    (run / "teacher.safetensors").unlink()
    assert_refused(run, run, "contains no weights")


def test_a_voice_goes_with_corpora_of_its_sample_rate_and_layout(run, mini_corpus):
    voice = load_voice(run)
    assert require_match(voice, mini_corpus, run) is voice
    with pytest.raises(UserError, match=f"{run} .*8000 Hz.*16000 Hz.*corpus.sample_rate=8000"):
        require_match(voice, dataclasses.replace(mini_corpus, sample_rate=16000), run)
    encoder = mini_corpus.encoder
    layout = dataclasses.replace(encoder.layout, phones=encoder.layout.phones[:-1])
    other = type(encoder)(layout, encoder.mean.tolist(), encoder.std.tolist())
    with pytest.raises(UserError, match=f"{run} .*feature layout {encoder.layout.digest}.*{layout.digest}"):
        require_match(voice, dataclasses.replace(mini_corpus, encoder=other), run)

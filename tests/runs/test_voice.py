"""Voices on disk: the same bits come back, and whatever is wrong with a file is said in one sentence."""

import copy
import dataclasses
import errno
import json
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file
from torch import nn

from wavegen.cli.composition import compose_config
from wavegen.errors import UserError
from wavegen.resources import resource_directory
from wavegen.runs.manifest import write_manifest
from wavegen.runs.voice import load_voice, require_match
from wavegen.runs.weights import build_model, load_built, save_weights

WAVENET = {
    "_target_": "wavegen.nets.wavenet.WaveNet",
    "_partial_": True,
    "dilations": {
        "_target_": "wavegen.nets.wavenet.dilation_cycles",
        "num_layers": 2,
        "cycle_length": 2,
    },
    "residual_channels": 4,
    "gate_channels": 4,
    "skip_channels": 0,
    "output_channels": 4,
}
TEACHER = {
    "_target_": "wavegen.models.speech.teacher.WaveNetTeacher",
    "head": {"_target_": "wavegen.distributions.heads.NormalHead", "min_log_scale": -9.0},
    "wavenet": WAVENET,
}
STUDENT = {
    "_target_": "wavegen.models.speech.student.WaveNetStudent",
    "wavenets": [WAVENET, WAVENET],
    "family": {"_target_": "wavegen.distributions.normal.Normal", "_partial_": True},
    "hop_samples": 40,
}


@pytest.fixture
def description(mini_corpus):
    return {
        "sample_rate": mini_corpus.sample_rate,
        "hop_samples": mini_corpus.hop_samples,
        "encoder": mini_corpus.encoder.to_dict(),
    }


@pytest.fixture
def run(tmp_path, description):
    write_manifest(tmp_path, {"teacher": TEACHER}, description)
    save_weights(tmp_path, "teacher", build_model(TEACHER, source="test"))
    return tmp_path


def rewrite(run, change):
    path = run / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def files(run):
    return {path.name: path.read_bytes() for path in run.iterdir()}


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


def assert_refused(run, *words):
    with pytest.raises(UserError) as caught:
        load_voice(run)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert str(word) in message
    return message


@pytest.mark.parametrize("keep", [0, 5, 200, -10])
def test_truncated_weights_are_named(run, keep):
    path = run / "teacher.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert_refused(run, path, "corrupt or truncated")


@pytest.mark.parametrize("content", [b"", b"{", b"no json", b"\xff\xfe\x00", b"[" * 100_000])
def test_garbage_for_a_description_is_named(run, content):
    (run / "manifest.json").write_bytes(content)
    assert_refused(run, run / "manifest.json", "JSON")


@pytest.mark.parametrize("content", [b"[]", b"3", b'{"format": 99}', b'{"format": "1"}', b"{}"])
def test_another_format_is_named(run, content):
    (run / "manifest.json").write_bytes(content)
    assert_refused(run, run / "manifest.json", "has format", "expected 2")


@pytest.mark.parametrize("key", ["sample_rate", "hop_samples", "encoder", "models"])
def test_a_missing_entry_is_named(run, key):
    rewrite(run, lambda content: content.pop(key))
    assert_refused(run, run / "manifest.json", f"no valid entry '{key}'")


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "wavegen.runs.voice.write_bytes",
        "torch.nn.Linear",
        "wavegen.runs.voice.get_object",
        "wavegen.runs.voice.Path.write_text",
        "wavegen.training.fit.fit",
        "wavegen.runs.voice.nothing_like_it",
        "wavegen.runs.voice.load_voice",  # defined in a room of models, and no model
        "wavegen.runs.voice.describe_voice",
        "wavegen.data.images.folder.image_folder",  # allowed in a run, where data are read
        "lightning.Trainer",
        "wavegenerator.models.x",
        "builtins.eval",
        ["os.system"],
        None,
    ],
)
@pytest.mark.parametrize("place", ["top", "inside", "in a list"])
def test_a_foreign_target_is_refused_before_anything_runs(run, target, place, tmp_path):
    proof = tmp_path / "ran"
    foreign = {"_target_": target, "command": f"touch {proof}"}

    def plant(content):
        model = content["models"]["teacher"]
        if place == "top":
            content["models"]["teacher"] = foreign
        elif place == "inside":
            model["wavenet"]["dilations"] = foreign
        else:
            model["wavenet"]["conditioning"] = [foreign]

    rewrite(run, plant)
    assert_refused(run, run / "manifest.json", repr(target), "expected one that wavegen's own")
    assert not proof.exists()


def test_an_interpolation_is_refused_before_it_is_resolved(run):
    """OmegaConf's own resolvers make nodes out of strings, and a node may have a target."""

    def plant(content):
        content["models"]["teacher"]["linear_prediction_order"] = "${oc.create:{_target_:os.getpid}}"

    rewrite(run, plant)
    assert_refused(run, run / "manifest.json", "interpolation", "expected plain values")


def test_weights_of_another_model_are_named(run):
    narrower = copy.deepcopy(TEACHER)
    narrower["wavenet"]["residual_channels"] = 3
    save_weights(run, "teacher", build_model(narrower, source="test"))
    assert_refused(run, run / "teacher.safetensors", "does not fit the model of", run / "manifest.json")
    save_file({"nothing": torch.zeros(1)}, run / "teacher.safetensors")
    assert_refused(run, run / "teacher.safetensors", "does not fit")


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda teacher: teacher.pop("head"), "has no 'head'"),
        (lambda teacher: teacher.update(surplus=1), "has the argument 'surplus'"),
        (lambda teacher: teacher["wavenet"].update(gate_channels="wide"), "wavenet.gate_channels is 'wide'"),
        (lambda teacher: teacher["wavenet"].update(gate_channels=10**12), "a whole number up to 65536"),
        (lambda teacher: teacher["wavenet"]["dilations"].update(num_layers=10**9), "up to 65536"),
        (lambda teacher: teacher["wavenet"].update(input_gain=float("inf")), "wavenet.input_gain is inf"),
        (
            lambda teacher: teacher.update(wavenet=WAVENET["dilations"]),
            "wavenet is a wavegen.nets",
        ),
        (lambda teacher: teacher.update(head=WAVENET), "head is a wavegen.nets.wavenet.WaveNet"),
        (lambda teacher: teacher.update(_convert_="none"), "has the key '_convert_'"),
        (lambda teacher: teacher.clear(), "does not describe a model"),
        (lambda teacher: teacher.update(teacher.pop("wavenet")["dilations"]), "has the argument 'head'"),
        (lambda teacher: teacher["wavenet"].update(skip_channels=-1), "cannot be built"),
    ],
)
def test_a_model_that_cannot_be_built_is_named(run, change, words):
    rewrite(run, lambda content: change(content["models"]["teacher"]))
    assert_refused(run, run / "manifest.json", words)


def test_a_model_of_more_parameters_than_the_file_holds_is_refused_before_they_are_filled(run, monkeypatch):
    filled = []
    monkeypatch.setattr(nn.Conv1d, "reset_parameters", lambda module: filled.append(module.weight.numel()))
    rewrite(run, lambda content: content["models"]["teacher"]["wavenet"].update(residual_channels=5000))
    num_values = sum(tensor.numel() for tensor in load_file(run / "teacher.safetensors").values())
    assert_refused(run, "does not fit the model of", f"the file has {num_values} numbers, the model has more")
    assert sum(filled) <= num_values


def test_a_model_of_more_parameters_than_memory_holds_is_refused(monkeypatch):
    memory = 4 * sum(parameter.numel() for parameter in build_model(TEACHER, source="teacher").parameters())
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=memory))
    build_model(TEACHER, source="teacher")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=memory - 4))
    with pytest.raises(UserError, match=f"teacher describes a model larger than memory, {memory - 4} bytes"):
        build_model(TEACHER, source="teacher")


@pytest.mark.parametrize(
    "sample_rate, hop_samples",
    [(10**12, 5 * 10**9), (8000, 10**9), (8000, -40), (0, 0), (7800, 39), (8040, 40), (192_200, 961)],
)
def test_a_voice_of_no_sample_rate_is_named(run, sample_rate, hop_samples):
    rewrite(run, lambda content: content.update(sample_rate=sample_rate, hop_samples=hop_samples))
    assert_refused(run, run / "manifest.json", f"sample_rate {sample_rate} and hop_samples {hop_samples}")


def test_what_a_model_itself_refuses_reaches_the_user_unchanged():
    config = copy.deepcopy(TEACHER) | {"linear_prediction_order": 8}
    config["head"] = {"_target_": "wavegen.distributions.heads.MuLawHead", "quantization": 8}
    with pytest.raises(UserError, match="linear_prediction_order must be 0 for MuLawHead"):
        build_model(config, source="teacher")


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


def test_a_failed_write_leaves_the_old_files_and_nothing_else(run, description, monkeypatch):
    before = files(run)

    def no_room(temporary, path):
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_room)
    with pytest.raises(UserError, match="teacher.safetensors: No space left"):
        save_weights(run, "teacher", build_model(TEACHER, source="test"))
    with pytest.raises(UserError, match="manifest.json: No space left"):
        write_manifest(run, {"student": STUDENT}, description)
    assert files(run) == before


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


IMAGE_FLOWS = ("glow", "nice", "real_nvp", "flow_plus_plus")
FLOWS = [("digits", name, noise) for name in IMAGE_FLOWS for noise in ("uniform", "variational")]


@pytest.mark.parametrize(
    "data, name, noise", [*FLOWS, ("table", "maf", "uniform"), ("table", "neural_spline_flow", "uniform")]
)
def test_every_flow_is_built_again_within_the_budget_of_its_weights(tmp_path, data, name, noise):
    words = [f"data={data}", f"flow_model={name}", f"dequantization={noise}"]
    config = compose_config("flow", words, configs=resource_directory("configs"))
    config.event = {"image_shape": [1, 8, 8], "num_levels": 17, "features": 3, "context_features": 0}
    described = OmegaConf.to_container(config.flow_model, resolve=True)
    flow = build_model(described, source="flow_model")
    save_weights(tmp_path, "flow", flow)
    again = load_built(described, tmp_path / "flow.safetensors", source="flow_model")
    for key, tensor in flow.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key]), key

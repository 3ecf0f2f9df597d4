"""Weights on disk, and models that are built from what a stranger may have written."""

import copy
import errno
import runpy
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file
from torch import nn

from wavegen.cli.composition import compose_config
from wavegen.errors import UserError
from wavegen.resources import resource_directory
from wavegen.runs.manifest import write_manifest
from wavegen.runs.weights import (
    build_model,
    load_built,
    load_model,
    load_weights,
    read_weights,
    save_weights,
    weights_file,
)

small_voice = runpy.run_path(str(Path(__file__).with_name("small_voice.py")))
WAVENET, TEACHER, STUDENT, rewrite, files, assert_refused = (
    small_voice[name] for name in ("WAVENET", "TEACHER", "STUDENT", "rewrite", "files", "assert_refused")
)


@pytest.mark.parametrize("keep", [0, 5, 200, -10])
def test_truncated_weights_are_named(run, keep):
    path = run / "teacher.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert_refused(run, path, "corrupt or truncated")


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
    assert_refused(
        run, run / "manifest.json", f"names the target {target!r}, expected one that wavegen's own"
    )
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


def test_a_model_of_more_parameters_than_memory_holds_is_refused(monkeypatch):
    memory = 4 * sum(parameter.numel() for parameter in build_model(TEACHER, source="teacher").parameters())
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=memory))
    build_model(TEACHER, source="teacher")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=memory - 4))
    with pytest.raises(UserError, match=f"teacher describes a model larger than memory, {memory - 4} bytes"):
        build_model(TEACHER, source="teacher")


def test_what_a_model_itself_refuses_reaches_the_user_unchanged():
    config = copy.deepcopy(TEACHER) | {"linear_prediction_order": 8}
    config["head"] = {"_target_": "wavegen.distributions.heads.MuLawHead", "quantization": 8}
    with pytest.raises(UserError, match="linear_prediction_order must be 0 for MuLawHead"):
        build_model(config, source="teacher")


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


def test_weights_are_kept_by_name_whatever_their_layout_in_memory(tmp_path):
    model = nn.Linear(3, 2)
    model.weight.data = torch.randn(3, 2).t()
    save_weights(tmp_path, "net", model)
    assert weights_file(tmp_path, "net") == tmp_path / "net.safetensors"
    tensors = read_weights(tmp_path / "net.safetensors")
    assert tensors.keys() == {"weight", "bias"} and torch.equal(tensors["weight"], model.weight)
    again = load_weights(nn.Linear(3, 2).train(), tmp_path / "net.safetensors", "a net")
    assert torch.equal(again.bias, model.bias) and not again.training


def test_a_model_is_there_where_manifest_and_weights_are(run):
    assert load_model(run, "teacher") is not None
    assert load_model(run, "student") is None
    (run / "teacher.safetensors").unlink()
    assert load_model(run, "teacher") is None


def test_parameters_are_rounded_on_request_and_buffers_never(tmp_path):
    model = nn.BatchNorm1d(2)
    nn.init.constant_(model.weight, 1 / 3)
    model.running_mean.fill_(1 / 3)
    save_weights(tmp_path, "model", model, dtype=torch.bfloat16)
    state = read_weights(weights_file(tmp_path, "model"))
    assert state["weight"].dtype == torch.bfloat16 and torch.equal(state["weight"], model.weight.bfloat16())
    assert torch.equal(state["running_mean"], model.running_mean) and state["num_batches_tracked"] == 0

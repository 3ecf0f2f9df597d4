"""Every configuration of the recipe ``flow``, run as the command at its top says, on data in its real format.

Only time is cut: two steps, small batches, a few test images.
"""

import json
import re
import runpy
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from wavegen.cli import composition
from wavegen.cli.main import main
from wavegen.cli.recipes import find_recipes
from wavegen.resources import resource_directory
from wavegen.runs import weights
from wavegen.training.density_stage import load_density
from wavegen.untrusted.targets import model_parts

CONFIGS = resource_directory("configs")
files = runpy.run_path(str(Path(__file__).parents[1] / "data" / "image_fixtures.py"))
SLOW = {f"experiment/{name}_glow.yaml" for name in ("cifar10", "imagenet32", "imagenet64")}
SLOW |= {"experiment/cifar10_flow_plus_plus.yaml"}
BRIEF = [
    "flow_training.max_steps=2",
    # two steps leave no room for the warm-up that a deep Glow needs: the rate is one that it begins with
    "flow_training.optimizer.lr=1.0e-5",
    "flow_training.batch_size=4",
    "flow_training.validate_every_steps=2",
    "flow_training.dev_batches=1",
    "evaluation.max_images=4",
    "evaluation.num_noise_draws=2",
    "evaluation.num_samples=4",
]


def command(path):
    shown = re.search(r"^# wavegen flow\b(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return shlex.split(shown[1]) if shown else None


COMMANDS = {
    path.relative_to(CONFIGS).as_posix(): command(path)
    for path in sorted(CONFIGS.glob("*/[!_]*.yaml"))
    if command(path) is not None
}


@pytest.fixture(scope="module")
def real_formats(tmp_path_factory):
    """What the commands' DIR and FILE stand for, by the choice of data."""
    root = tmp_path_factory.mktemp("published")
    files["write_mnist"](root / "mnist.npz", size=28)
    files["write_idx"](root / "idx", suffix=".gz", size=28)
    files["write_cifar10"](root / "cifar10")
    files["write_pngs"](root / "image_folder" / "cats", 10)
    files["write_pngs"](root / "image_folder" / "dogs", 10, seed=1)
    files["write_imagenet_npz"](root / "imagenet32", 32)
    files["write_pngs"](root / "imagenet64" / "train_64x64", 12, size=64)
    files["write_pngs"](root / "imagenet64" / "valid_64x64", 4, size=64, seed=1)
    files["write_csv"](root / "table.csv")
    held_out = ["data.num_dev=4"]
    return {
        "digits": [],
        "photo_crops": ["data.num_train=8", "data.num_dev=4", "data.num_test=4"],
        "mnist": [f"data.path={root / 'mnist.npz'}", *held_out],
        "idx": [f"data.folder={root / 'idx'}", *held_out],
        "cifar10": [f"data.folder={root / 'cifar10'}", *held_out],
        "image_folder": [f"data.folder={root / 'image_folder'}"],
        "imagenet32": [f"data.folder={root / 'imagenet32'}", *held_out],
        "imagenet64": [f"data.folder={root / 'imagenet64'}", *held_out],
        "table": [f"data.path={root / 'table.csv'}"],
    }


def data_of(words):
    """The data group's choice that a command comes to."""
    chosen = [word.partition("=")[2] for word in words if word.startswith("data=")]
    overlay = [word.partition("=")[2] for word in words if word.startswith("experiment=")]
    if overlay and not chosen:
        text = (CONFIGS / "experiment" / f"{overlay[0]}.yaml").read_text(encoding="utf-8")
        chosen = re.findall(r"override /data: (\w+)", text)
    return chosen[0] if chosen else "digits"


def with_marks(file):
    return pytest.param(file, marks=pytest.mark.slow if file in SLOW else ())


@pytest.mark.parametrize("file", [with_marks(file) for file in COMMANDS])
def test_a_choice_runs_for_two_steps(file, real_formats, tmp_path):
    words = [word for word in COMMANDS[file] if not word.endswith(("=DIR", "=FILE"))]
    group, _, name = file.removesuffix(".yaml").partition("/")
    default = f"{group}: {name}\n" in (CONFIGS / "flow.yaml").read_text(encoding="utf-8")
    assert group == "optimisation" or f"{group}={name}" in words or default, "the command runs another file"
    words += [*real_formats[data_of(words)], *BRIEF, f"run={tmp_path / 'run'}"]
    assert main(["flow", *words]) == 0
    check(tmp_path / "run")


def check(run):
    state = torch.load(run / "checkpoints" / "flow" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 2
    tensors = load_file(run / "flow.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values() if tensor.is_floating_point())
    load_density(run)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert {"test/bits_per_dimension", "test/nats"} & set(metrics)
    assert "<img" in (run / "report.html").read_text(encoding="utf-8")


def test_data_that_must_be_given_are_asked_for(capsys, tmp_path):
    assert main(["flow", "data=mnist", f"run={tmp_path}"]) == 2
    assert "data.path must be given" in capsys.readouterr().err


def test_a_model_that_cannot_be_built_leaves_no_run_behind(capsys, tmp_path):
    assert main(["flow", "flow_model.num_scales=4", f"run={tmp_path / 'run'}"]) == 2
    assert "divisible by 2^4 = 16 for 4 scales, got 8 × 8" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


NO_FLOW = """
import torch
from torch import nn
from torch.distributions import Distribution, Independent
from wavegen.distributions.discrete_heads import CategoricalHead

class Histograms(nn.Module):
    def __init__(self, *, image_shape: list[int], num_levels: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(*image_shape, num_levels))
        self.head = CategoricalHead(num_levels)

    def forward(self, context: None = None) -> Distribution:
        return Independent(self.head(self.logits), 3)
"""


def test_a_density_that_is_no_flow_is_trained_measured_and_reported(tmp_path, monkeypatch):
    """A file and a configuration; what it does not offer is left out of its report."""
    (tmp_path / "histograms.py").write_text(NO_FLOW)
    monkeypatch.syspath_prepend(tmp_path)
    shutil.copytree(CONFIGS, tmp_path / "configs")
    text = "_target_: histograms.Histograms\nimage_shape: ${event.image_shape}\nnum_levels: 17\n"
    (tmp_path / "configs" / "flow_model" / "histograms.yaml").write_text(text)
    monkeypatch.setattr(weights, "model_parts", lambda: model_parts() | {"histograms.Histograms"})
    run = tmp_path / "run"
    words = ["flow_model=histograms", "flow_training.max_steps=40", "flow_training.optimizer.lr=0.1"]
    words += [f"run={run}", "evaluation.max_images=20", "evaluation.num_samples=9"]
    recipe = find_recipes(resource_directory("recipes"))["flow"]
    config = composition.compose_config("flow", words, configs=tmp_path / "configs")
    runpy.run_path(str(recipe))["main"](config)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test/bits_per_dimension"] < 0.8 * metrics["baseline/equal_levels"]
    assert metrics["test/num_noise_draws"] == 1 and not any("reconstruction" in key for key in metrics)
    figures = {path.stem for path in (run / "figures").glob("*.png")}
    assert figures == {"samples", "loss_curves"}
    report = (run / "report.html").read_text()
    assert "bits per dimension" in report and "Reconstructions" not in report and "Temperature" not in report
    before = (run / "flow.safetensors").stat().st_mtime_ns
    runpy.run_path(str(recipe))["main"](config)
    assert (run / "flow.safetensors").stat().st_mtime_ns == before

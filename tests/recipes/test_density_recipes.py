"""`wavegen gallery` and `wavegen duality`, from the command line to figures and numbers, on a few steps."""

import json

import pytest
import torch
from hydra.utils import instantiate
from PIL import Image
from safetensors.torch import load_file

from wavegen.cli.composition import compose_config
from wavegen.cli.main import main
from wavegen.errors import UserError
from wavegen.evaluation.plane import divergences
from wavegen.resources import resource_directory
from wavegen.training.plane import Fit, train_both_ways, train_gallery

CONFIGS = resource_directory("configs")
BRIEF = ["optimisation.max_steps=2", "trainer.num_jobs=1", "evaluation.num_points=300"]
BRIEF += ["evaluation.resolution=12"]


def compose(recipe, *words):
    return compose_config(recipe, [*BRIEF, *words], configs=CONFIGS)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    run = tmp_path_factory.mktemp("gallery") / "run"
    assert main(["gallery", *BRIEF, f"run={run}"]) == 0
    return run


@pytest.fixture(scope="module")
def duality(tmp_path_factory):
    run = tmp_path_factory.mktemp("duality") / "run"
    assert main(["duality", *BRIEF, f"run={run}"]) == 0
    return run


def test_the_gallery_has_every_model_on_every_data_set(gallery):
    datasets = {"moons", "rings", "pinwheel", "checkerboard"}
    models = {"planar", "radial", "sylvester", "maf", "iaf", "real_nvp", "neural_spline"}
    metrics = json.loads((gallery / "metrics.json").read_text())
    assert {tuple(key.split("/")[:2]) for key in metrics} == {
        (data, model) for data in datasets for model in models | {"data"}
    }
    for data in datasets:
        best = metrics[f"{data}/data/log_likelihood"]
        for model in models:
            value = metrics[f"{data}/{model}/log_likelihood"]
            assert value < best
            assert metrics[f"{data}/{model}/kl_data_model"] == pytest.approx(best - value, abs=1e-4)
            weights = load_file(gallery / "weights" / f"{data}-{model}.safetensors")
            assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    width, height = Image.open(gallery / "gallery.png").size
    assert height > width > 500


def test_duality_has_both_divergences_of_both_fits(duality):
    metrics = json.loads((duality / "metrics.json").read_text())
    for target in ("eight_gaussians", "two_crescents", "forked_wave"):
        for direction in ("forward", "reverse"):
            measured = {
                k: metrics[f"{target}/{direction}/{k}"] for k in ("kl_target_model", "kl_model_target")
            }
            assert all(value > 0 for value in measured.values())
            assert 0 < metrics[f"{target}/{direction}/effective_sample_size"] <= 1
    assert min(Image.open(duality / "duality.png").size) > 500


def test_a_finished_fit_is_not_made_again(gallery, capsys):
    weights = sorted((gallery / "weights").iterdir())
    before = {path: path.stat().st_mtime_ns for path in weights}
    gone = weights[3]
    content = gone.read_bytes()
    gone.unlink()
    assert main(["gallery", f"resume={gallery}"]) == 0
    again = {path: path.stat().st_mtime_ns for path in sorted((gallery / "weights").iterdir())}
    assert {path for path in weights if before[path] != again[path]} == {gone}
    assert gone.read_bytes() == content, "the same seed gave other weights"
    assert "moons" in capsys.readouterr().out
    assert main(["gallery", *BRIEF, f"run={gallery}", "seed=1"]) == 2
    assert "another 'seed'" in capsys.readouterr().err


@pytest.mark.slow
def test_processes_make_the_fits_of_one(gallery, tmp_path):
    words = ["models.planar=null", "models.radial=null", "models.sylvester=null", "models.iaf=null"]
    config = compose("gallery", *words, "datasets.rings=null", "datasets.pinwheel=null", "trainer.num_jobs=2")
    fits = train_gallery(config, tmp_path)
    assert len(fits) == 6
    for data, model in fits:
        name = f"weights/{data}-{model}.safetensors"
        assert (tmp_path / name).read_bytes() == (gallery / name).read_bytes()


def test_training_both_ways_descends_both_divergences(tmp_path):
    """On the crescents, 150 steps: each fit is nearer to the target than before by what it minimises."""
    config = compose(
        "duality",
        "optimisation.max_steps=150",
        "optimisation.optimizer.lr=0.02",
        "stack.num_flows=2",
        "targets.eight_gaussians=null",
        "targets.forked_wave=null",
    )
    fits = train_both_ways(config, tmp_path)
    for direction, key in (("forward", "kl_target_model"), ("reverse", "kl_model_target")):
        fit = fits["two_crescents", direction]
        untrained = Fit(fit.target, instantiate(config.directions[direction].model))
        before, after = divergences(untrained, 2000), divergences(fit, 2000)
        assert after[key] < 0.6 * before[key]


def test_a_training_that_leaves_the_numbers_names_its_cell(tmp_path):
    config = compose("gallery", "optimisation.optimizer.lr=1e30", "optimisation.max_steps=4")
    with pytest.raises(UserError, match="moons / planar: training stopped at step"):
        train_gallery(config, tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_weights_that_cannot_be_read_are_named(gallery, tmp_path):
    path = tmp_path / "weights" / "moons-maf.safetensors"
    path.parent.mkdir()
    path.write_bytes((gallery / "weights" / "moons-iaf.safetensors").read_bytes()[:100])
    others = ["planar", "radial", "sylvester", "iaf", "real_nvp", "neural_spline"]
    words = [f"models.{name}=null" for name in others]
    words += [f"datasets.{name}=null" for name in ("rings", "pinwheel", "checkerboard")]
    with pytest.raises(UserError, match="moons-maf.safetensors is corrupt or truncated"):
        train_gallery(compose("gallery", *words), tmp_path)
    with pytest.raises(UserError, match="models: expected at least one entry"):
        train_gallery(compose("gallery", *words, "models.maf=null"), tmp_path)

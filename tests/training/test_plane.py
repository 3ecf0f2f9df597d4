import pytest
import torch
from omegaconf import OmegaConf

from wavegen.distributions.energies import TwoCrescents
from wavegen.errors import UserError
from wavegen.flows import Flow, Rescale, StandardNormal
from wavegen.training.plane import (
    Cell,
    DensityObjective,
    SamplesObjective,
    train_both_ways,
    train_cell,
    train_cells,
    train_gallery,
)

OBJECTIVES = "wavegen.training.plane"
MODEL = {"_target_": "wavegen.models.flows.maf.maf", "features": 2, "num_flows": 1, "hidden": [4]}
OPTIMISATION = {
    "max_steps": 2,
    "max_minutes": None,
    "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.01},
    "schedule": None,
    "gradient_clip": 1.0,
}
BY_SAMPLES = {"_target_": f"{OBJECTIVES}.SamplesObjective", "_partial_": True, "num_samples": 16}
BY_DENSITY = {"_target_": f"{OBJECTIVES}.DensityObjective", "_partial_": True, "num_samples": 16}
MOONS = {"_target_": "wavegen.data.plane.Moons"}
CRESCENTS = {"_target_": "wavegen.distributions.energies.TwoCrescents"}


def cell(**changes):
    settings = {"name": ("moons", "maf"), "target": MOONS, "model": MODEL, "objective": BY_SAMPLES}
    return Cell(**{**settings, "optimisation": OPTIMISATION, "seed": 0, **changes})


def weights(fit):
    return torch.cat([value.flatten().double() for value in fit.flow.state_dict().values()])


def test_a_cell_is_trained_once_and_by_its_seed(tmp_path):
    cells = [cell(), cell(name=("moons", "again")), cell(name=("moons", "other"), seed=1)]
    fits = train_cells(cells, tmp_path, 1, title="test")
    one, again, other = (weights(fits[each.name]) for each in cells)
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert not fits[cells[0].name].flow.training
    path = tmp_path / "weights" / "moons-maf.safetensors"
    written = path.stat().st_mtime_ns
    assert torch.equal(weights(train_cells(cells[:1], tmp_path, 1, title="test")[cells[0].name]), one)
    assert path.stat().st_mtime_ns == written


def test_a_cell_that_fails_is_named_and_the_finished_ones_are_kept(tmp_path):
    wrong = cell(name=("moons", "wrong"), model={**MODEL, "features": 0})
    assert isinstance(train_cell(wrong, tmp_path), str)
    with pytest.raises(UserError, match="^moons / wrong: "):
        train_cells([cell(), wrong], tmp_path, 1, title="test")
    assert (tmp_path / "weights" / "moons-maf.safetensors").exists()
    assert not (tmp_path / "weights" / "moons-wrong.safetensors").exists()


@pytest.fixture
def gallery():
    return {
        "datasets": {"moons": MOONS, "rings": {"_target_": "wavegen.data.plane.Rings"}, "left out": None},
        "models": {"maf": MODEL},
        "objective": BY_SAMPLES,
        "optimisation": OPTIMISATION,
        "seed": 0,
        "trainer": {"num_jobs": 1},
    }


def test_a_gallery_is_every_model_for_every_data_set(gallery, tmp_path):
    fits = train_gallery(OmegaConf.create(gallery), tmp_path)
    assert list(fits) == [("moons", "maf"), ("rings", "maf")]


@pytest.mark.parametrize(
    ("key", "entries", "reason"),
    [
        ("models", {"maf": None}, "models: expected at least one entry, got none"),
        ("datasets", {"../x": MOONS}, "datasets has the entry '../x', expected a name of letters"),
    ],
)
def test_entries_that_make_no_gallery_are_named(gallery, tmp_path, key, entries, reason):
    with pytest.raises(UserError, match=reason):
        train_gallery(OmegaConf.create(gallery | {key: entries}), tmp_path)


def test_both_ways_are_two_fits_of_every_target(tmp_path):
    ways = {
        name: {"model": MODEL, "objective": objective, "optimisation": OPTIMISATION}
        for name, objective in (("forward", BY_SAMPLES), ("reverse", BY_DENSITY))
    }
    config = OmegaConf.create(
        {"targets": {"crescents": CRESCENTS}, "directions": ways, "seed": 0, "trainer": {"num_jobs": 1}}
    )
    fits = train_both_ways(config, tmp_path)
    assert list(fits) == [("crescents", "forward"), ("crescents", "reverse")]
    assert all(isinstance(fit.target, TwoCrescents) for fit in fits.values())


def test_objectives_are_the_two_divergences_up_to_constants():
    """Forward: −E_p log q. Reverse: E_q [log q − log p̃]."""
    target = TwoCrescents()
    q = Flow(bijection=Rescale(scale=0.5), base=StandardNormal((2,)))()
    grid = torch.linspace(-9, 9, 181)
    points = torch.cartesian_prod(grid, grid)
    area = float(grid[1] - grid[0]) ** 2
    log_p, log_q = target.log_prob(points), q.log_prob(points)
    forward = -float((log_p.exp() * log_q).sum()) * area
    reverse = float((log_q.exp() * (log_q - target.log_density(points))).sum()) * area
    by_samples = SamplesObjective(target=target, num_samples=20_000)(q)
    by_density = DensityObjective(target=target, num_samples=40_000)(q)
    assert by_samples.item() == pytest.approx(forward, abs=0.02)
    assert by_density.item() == pytest.approx(reverse, abs=0.15)

"""What a density's run is made of, apart from the fitting."""

import json
import math

import pytest
import torch
from omegaconf import OmegaConf

from wavegen.cli import composition
from wavegen.data.context import LabelContext, NoContext
from wavegen.data.images.bundled import digits
from wavegen.data.tables import table
from wavegen.errors import UserError
from wavegen.resources import resource_directory
from wavegen.training.density_stage import cost_of, fill_in_event, load_data, load_density, new_density


def compose(*words):
    return composition.compose_config("flow", words, configs=resource_directory("configs"))


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "a.csv"
    values = torch.randn(40, 2).tolist()
    path.write_text("".join(f"{a},{b}\n" for a, b in values))
    return path


def test_the_event_is_that_of_the_data(rows):
    config = compose()
    fill_in_event(config, digits(), LabelContext())
    assert dict(config.event) == {
        "name": "digits-glow",
        "image_shape": [1, 8, 8],
        "num_levels": 17,
        "features": None,
        "context_features": 10,
    }
    config = compose("data=table", "flow_model=maf", f"data.path={rows}")
    data, context = load_data(config)
    fill_in_event(config, data, context)
    assert (config.event.name, config.event.features, config.event.image_shape) == ("a-maf", 2, None)


def test_data_and_model_of_other_kinds_are_named(rows):
    with pytest.raises(
        UserError, match="maf.maf is a model of the rows of a table, but digits contains images"
    ):
        fill_in_event(compose("flow_model=maf"), digits(), NoContext())
    with pytest.raises(UserError, match="glow.glow is a model of images, but a contains the rows of a table"):
        fill_in_event(compose(), table(rows), NoContext())


def test_a_context_of_labels_needs_some(rows):
    config = compose("data=table", "flow_model=maf", f"data.path={rows}")
    with pytest.raises(UserError, match="a has no labels"):
        fill_in_event(config, table(rows), LabelContext())


def test_a_model_without_a_target_is_named():
    config = compose()
    config.flow_model = {"num_steps": 1}
    with pytest.raises(UserError, match="^flow_model has no _target_, expected the name of a class or func"):
        fill_in_event(config, digits(), NoContext())


def test_a_dequantisation_that_reaches_no_model_is_refused(rows):
    config = compose("data=table", "flow_model=maf", "dequantization=variational", f"data.path={rows}")
    with pytest.raises(
        UserError, match="VariationalDequantization has no effect, because wavegen.models.flows.maf"
    ):
        fill_in_event(config, table(rows), NoContext())
    config = compose("dequantization=variational")
    fill_in_event(config, digits(), NoContext())
    stored = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    fill_in_event(stored, digits(), NoContext())
    stored.flow_model.pop("dequantization")
    with pytest.raises(
        UserError, match="glow.glow is not configured with \\$\\{dequantization\\}: leave it out"
    ):
        fill_in_event(stored, digits(), NoContext())
    stored.flow_model["layers"] = [stored.dequantization]
    fill_in_event(stored, digits(), NoContext())


def test_images_cost_bits_per_dimension_and_rows_nats(rows):
    log_prob = torch.tensor([-64 * math.log(2)], dtype=torch.float64)
    name, cost = cost_of(digits())
    assert (name, cost(log_prob).item()) == ("bits_per_dimension", pytest.approx(1.0))
    name, cost = cost_of(table(rows))
    assert (name, cost(log_prob).item()) == ("nats", pytest.approx(64 * math.log(2)))


def test_the_seed_decides_the_first_weights():
    def weights(seed):
        config = compose(f"seed={seed}", "flow_model.num_steps=1", "flow_model.hidden_channels=4")
        fill_in_event(config, digits(), NoContext())
        return torch.cat([value.flatten().double() for value in new_density(config).state_dict().values()])

    assert torch.equal(weights(0), weights(0)) and not torch.equal(weights(0), weights(1))


def test_a_trained_density_is_found_again_with_what_it_cost(train_flow, tmp_path):
    trained = train_flow(tmp_path)
    found = load_density(str(tmp_path))
    for name, value in trained.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name
    assert not found.training
    cost = json.loads((tmp_path / "training.json").read_text())
    assert cost["steps"] == 6 and cost["best_step"] in (3, 6)
    assert cost["parameters"] == sum(parameter.numel() for parameter in trained.parameters())
    assert cost["wall_s"] > 0 and cost["cpu_s"] > 0
    (tmp_path / "manifest.json").write_text('{"format": 2, "models": {}}')
    with pytest.raises(UserError, match="has no entry 'flow', expected the run of a density"):
        load_density(tmp_path)
    with pytest.raises(
        UserError, match="elsewhere contains no trained density: .*flow.safetensors is missing"
    ):
        load_density(tmp_path / "elsewhere")

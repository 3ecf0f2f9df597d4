"""Fitting densities: what is minimised, what a batch is, resumption to the same weights, refusals."""

import math

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from wavegen.cli import composition
from wavegen.data.context import LabelContext, NoContext
from wavegen.data.images.bundled import digits
from wavegen.data.tables import table
from wavegen.errors import UserError
from wavegen.metrics.bits import bits_per_dimension
from wavegen.resources import resource_directory
from wavegen.runs.folder import open_run, resume_config
from wavegen.training.density_stage import fill_in_event, load_density, new_density, train_density

SMALL = [
    "flow_model.num_steps=1",
    "flow_model.hidden_channels=4",
    "flow_training.max_steps=6",
    "flow_training.batch_size=8",
    "flow_training.validate_every_steps=3",
    "flow_training.dev_batches=2",
]


def compose(*overrides):
    return composition.compose_config("flow", [*SMALL, *overrides], configs=resource_directory("configs"))


def run_flow(config, run, data=None, context=None):
    data, context = data or digits(), context or NoContext()
    config.run = str(run)
    fill_in_event(config, data, context)
    return train_density(config, new_density(config), data, context, open_run(config))


def test_bits_per_dimension_is_that_of_the_formula():
    """Four levels of probability ¼ each cost two bits a pixel."""
    log_prob = torch.tensor([4 * math.log(1 / 4)], dtype=torch.float64)
    torch.testing.assert_close(bits_per_dimension(log_prob, 4), torch.tensor([2.0], dtype=torch.float64))


def test_a_run_learns_and_logs_bits_and_reconstruction(tmp_path):
    words = ["flow_training.max_steps=30", "flow_training.validate_every_steps=10"]
    config = compose(*words, "flow_training.optimizer.lr=0.005")
    run_flow(config, tmp_path / "run")
    log = EventAccumulator(str(tmp_path / "run" / "tensorboard" / "flow")).Reload()
    bits = [event.value for event in log.Scalars("dev/bits_per_dimension")]
    assert len(bits) == 3 and bits[-1] < bits[0] - 0.1
    assert max(event.value for event in log.Scalars("dev/reconstruction_error")) < 1e-4
    assert [event.value for event in log.Scalars("train/bits_per_dimension")]
    assert (tmp_path / "run" / "training.json").exists()


def test_what_is_not_a_number_is_not_averaged(tmp_path):
    flow = run_flow(compose(), tmp_path)
    flags = {name: value for name, value in flow.state_dict().items() if name.endswith("initialised")}
    assert flags and all(bool(flag) and flag.dtype == torch.bool for flag in flags.values())


def test_a_killed_and_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    killed_at, tmp_path, monkeypatch
):
    run_flow(compose(), tmp_path / "whole")
    with monkeypatch.context() as patch:
        killed_at(patch, step=5, save_at=4)
        with pytest.raises(RuntimeError, match="power cut"):
            run_flow(compose(), tmp_path / "killed")
    assert not (tmp_path / "killed" / "flow.safetensors").exists()
    run_flow(resume_config(compose(f"resume={tmp_path / 'killed'}")), tmp_path / "killed")
    whole, resumed = (load_file(tmp_path / name / "flow.safetensors") for name in ("whole", "killed"))
    assert whole.keys() == resumed.keys()
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name


def test_a_finished_run_is_loaded_and_gives_the_same_densities(tmp_path):
    flow = run_flow(compose(), tmp_path)
    written = (tmp_path / "flow.safetensors").stat().st_mtime_ns
    again = run_flow(compose(), tmp_path)
    assert (tmp_path / "flow.safetensors").stat().st_mtime_ns == written
    x = digits().test[:4].float()
    torch.manual_seed(0)
    expected = flow().log_prob(x)
    torch.manual_seed(0)
    torch.testing.assert_close(again().log_prob(x), expected, rtol=0, atol=0)


def test_a_run_is_data_that_may_name_models_only(tmp_path):
    run_flow(compose(), tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace("wavegen.models.flows.glow.glow", "os.system"))
    with pytest.raises(UserError, match="names the target 'os.system'"):
        load_density(tmp_path)


def test_labels_condition_the_density(tmp_path):
    flow = run_flow(compose("context=labels"), tmp_path, context=LabelContext())
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    x = digits().test[:1].float().expand(2, -1, -1, -1)
    torch.manual_seed(0)
    one, other = flow(LabelContext().encode(torch.tensor([3, 4]), 10)).normalise(x)[0]
    torch.manual_seed(0)
    same = flow(LabelContext().encode(torch.tensor([3, 3]), 10)).normalise(x)[0]
    torch.testing.assert_close(one, same[0])
    assert not torch.allclose(other, same[1])


def test_rows_of_a_table_are_fitted_in_nats(tmp_path):
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(400, generator=generator)
    rows = torch.stack([first, 0.9 * first + 0.1 * torch.randn(400, generator=generator)], 1)
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{a},{b}\n" for a, b in rows.tolist()))
    overrides = ["data=table", "flow_model=maf", "flow_model.hidden=[16]", "flow_model.num_flows=2"]
    small = [word for word in SMALL if "flow_model" not in word]
    small += ["flow_training.max_steps=120", "flow_training.optimizer.lr=0.005"]
    config = composition.compose_config(
        "flow", [*small, *overrides, f"data.path={path}"], configs=resource_directory("configs")
    )
    data = table(path)
    flow = run_flow(config, tmp_path / "run", data)
    mean = float(flow().log_prob(data.test).mean())
    independent = -math.log(2 * math.pi * math.e)
    assert mean > independent + 0.5, "the correlation of the columns is worth 1.6 nats"
    log = EventAccumulator(str(tmp_path / "run" / "tensorboard" / "flow")).Reload()
    assert log.Scalars("dev/nats") and log.Scalars("dev/reconstruction_error")[-1].value < 1e-4


def test_another_configuration_in_the_same_folder_is_refused(tmp_path):
    run_flow(compose(), tmp_path)
    with pytest.raises(UserError, match="another 'flow_training.batch_size'"):
        run_flow(compose("flow_training.batch_size=9"), tmp_path)


def test_nan_stops_with_step_and_term(tmp_path, monkeypatch):
    import wavegen.training.density as density

    original = density.DensityTraining.mean_cost

    def poisoned(self, batch):
        return original(self, batch) * (math.nan if self.global_step == 4 else 1)

    monkeypatch.setattr(density.DensityTraining, "mean_cost", poisoned)
    with pytest.raises(UserError, match="step 4: the term 'bits per dimension' is nan"):
        run_flow(compose(), tmp_path)


def test_the_weights_that_did_best_on_dev_are_kept(tmp_path, monkeypatch):
    """The last validation is made the worst: what is kept is the average of the one before it."""
    import wavegen.training.density as density

    original, averages = density.DensityTraining.mean_cost, {}

    def worse_at_the_end(self, batch):
        cost = original(self, batch)
        if not self.training:
            averages[self.global_step] = {k: v.clone() for k, v in self.model.state_dict().items()}
        return cost + 100 if not self.training and self.global_step == 6 else cost

    monkeypatch.setattr(density.DensityTraining, "mean_cost", worse_at_the_end)
    flow = run_flow(compose(), tmp_path)
    assert set(averages) == {3, 6}
    for name, tensor in flow.state_dict().items():
        torch.testing.assert_close(tensor, averages[3][name], rtol=0, atol=0)
    assert '"best_step": 3' in (tmp_path / "training.json").read_text()

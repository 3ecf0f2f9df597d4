"""Measures of a density: costs by hand, round trips, baselines; figures, and a report that stands alone."""

import json
import math
import re
import runpy
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.distributions import Distribution, Independent, Normal

from wavegen.data.context import LabelContext, NoContext
from wavegen.data.tables import table
from wavegen.errors import UserError
from wavegen.evaluation.density.evaluate import evaluate_density, round_trips, summary
from wavegen.evaluation.density.subject import Subject
from wavegen.flows import (
    Bijection,
    Chain,
    Flow,
    Rescale,
    StandardNormal,
    UniformDequantization,
)
from wavegen.metrics.density_registry import DENSITY
from wavegen.training.density_check import check_density

small_density = runpy.run_path(str(Path(__file__).with_name("small_density.py")))
image_set, small_flow = (small_density[name] for name in ("image_set", "small_flow"))

files = runpy.run_path(str(Path(__file__).parents[2] / "data" / "image_fixtures.py"))


class UniformBase(nn.Module):
    """Uniform on the unit cube, with a mean that temperature does not meet here."""

    def __init__(self, shape):
        super().__init__()
        self.event_shape = torch.Size(shape)

    def forward(self, context=None):
        low = torch.zeros(self.event_shape)
        return torch.distributions.Independent(
            torch.distributions.Uniform(low, low + 1, validate_args=False), len(self.event_shape)
        )


def test_a_uniform_density_over_four_levels_costs_two_bits(tmp_path):
    flow = Flow(
        bijection=Chain(UniformDequantization(4), Rescale(scale=1.0, loc=0.0)), base=UniformBase((1, 4, 4))
    )
    metrics = evaluate_density(
        flow, image_set(), NoContext(), tmp_path, num_noise_draws=3, temperatures=[1.0], num_samples=4
    )
    for key in (
        "test/bits_per_dimension",
        "test/bits_per_dimension_importance_weighted",
        "baseline/equal_levels",
    ):
        assert metrics[key] == pytest.approx(2.0, abs=1e-6)
    assert (metrics["test/num_events"], metrics["test/num_noise_draws"]) == (12, 3)
    assert metrics["test/bits_per_dimension_low"] == pytest.approx(2.0, abs=1e-6)


def test_more_weights_tighten_the_bound_and_padding_counts_for_nothing(tmp_path):
    data = image_set(padding=1)
    metrics = evaluate_density(small_flow(), data, NoContext(), tmp_path, temperatures=[1.0], num_samples=4)
    bound, tighter = (metrics[f"test/bits_per_dimension{end}"] for end in ("", "_importance_weighted"))
    assert tighter < bound
    torch.manual_seed(0)
    x = data.test.float().repeat(400, 1, 1, 1)
    nats = -float(small_flow()().log_prob(x).mean().detach())
    assert bound == pytest.approx(nats / (4 * math.log(2)), rel=0.05), "four pixels, not sixteen"


class Fragile(Bijection):
    """The identity, but its inverse loses what is above a threshold to infinity."""

    event_dim = 3

    def forward(self, x, context=None):
        return x, x.new_zeros(len(x))

    def inverse(self, z, context=None):
        return torch.where(z > 2.5, torch.inf, z), z.new_zeros(len(z))


def test_infinities_are_counted_and_the_finite_error_still_told():
    flow = Flow(bijection=Fragile(), base=StandardNormal((1, 4, 4)))
    subject = Subject(flow, image_set(labelled=False), NoContext(), torch.device("cpu"))
    x = torch.zeros(6, 1, 4, 4)
    x[0, 0, 0, 0] = 3
    metrics = round_trips(subject, x, None, [0.1, 3.0])
    assert metrics["reconstruction/data_num_not_finite"] == 1 and metrics["reconstruction/data"] == 0
    assert metrics["reconstruction/samples_at_0.1_num_not_finite"] == 0
    assert metrics["reconstruction/samples_at_3_num_not_finite"] == 6


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    cost = {"steps": 7, "best_step": 6, "parameters": 1, "wall_s": 61.0, "cpu_s": 100.0}
    (folder / "training.json").write_text(json.dumps(cost))
    (folder / "config.yaml").write_text("note: <b>&</b>\n")
    metrics = evaluate_density(small_flow(), image_set(), NoContext(), folder, num_samples=9)
    return folder, metrics


def test_everything_is_written_and_the_same_again(run, tmp_path):
    folder, metrics = run
    written = json.loads((folder / "metrics.json").read_text())
    assert written.keys() == metrics.keys() and written["training/steps"] == 7
    assert metrics["reconstruction/samples_at_1.2"] < 1e-5
    names = {path.stem for path in (folder / "figures").glob("*.png")}
    assert names == {"samples", "temperatures", "reconstructions", "interpolations", "attributes"}
    torch.manual_seed(0)
    again = evaluate_density(small_flow(), image_set(), NoContext(), tmp_path, num_samples=9)
    same = [key for key in again if not key.startswith("sampling")]
    assert [again[key] for key in same] == [metrics[key] for key in same]
    for name in names:
        files_of = [(place / "figures" / f"{name}.png").read_bytes() for place in (folder, tmp_path)]
        assert files_of[0] == files_of[1], name


def test_every_cost_is_in_the_registry(run):
    _, metrics = run
    known = {metric.key for metric in DENSITY}
    costs = {key for key in metrics if key.startswith(("test/", "baseline/")) and "/num_" not in key}
    assert {key.removesuffix("_low").removesuffix("_high") for key in costs} <= known


def test_the_report_stands_alone_and_is_escaped(run):
    folder, metrics = run
    source = (folder / "report.html").read_text(encoding="utf-8")
    without_data = re.sub(r"base64,[A-Za-z0-9+/=]+", "", source)
    assert "http" not in without_data and "<script" not in source
    assert source.count("<img") == 5 and "note: &lt;b&gt;&amp;&lt;/b&gt;" in source
    assert "trained for 7 steps in 1.0 min (1.7 min of CPU time); the weights are those of step 6" in source
    assert f"{metrics['test/bits_per_dimension']:.3f} bits per dimension" in source
    assert "12 test images" in summary(metrics, folder)


def test_one_test_image_is_enough(tmp_path):
    data = image_set(labelled=False)
    metrics = evaluate_density(small_flow(), data, NoContext(), tmp_path, max_images=1, num_samples=1)
    assert metrics["test/num_events"] == 1
    assert summary(metrics, tmp_path).startswith("1 test image: ")
    machine = re.search(r"<dt>Machine</dt><dd>(.*?)</dd>", (tmp_path / "report.html").read_text())[1]
    threads = torch.get_num_threads()
    assert f", {threads} thread{'s' if threads > 1 else ''} of torch" in machine


def test_rows_of_a_table_cost_nats_in_both_units(tmp_path):
    files["write_csv"](tmp_path / "a.csv")
    data = table(tmp_path / "a.csv")
    flow = Flow(bijection=Rescale(scale=1.0, loc=0.0), base=StandardNormal((3,)))
    metrics = evaluate_density(flow, data, NoContext(), tmp_path, num_samples=20)
    expected = float(-StandardNormal((3,))().log_prob(data.test).double().mean())
    assert metrics["test/nats"] == pytest.approx(expected, rel=1e-6)
    original = data.test.double() * data.scale + data.offset
    by_hand = -torch.distributions.Normal(data.offset, data.scale).log_prob(original).sum(-1).mean()
    assert metrics["test/nats_original_units"] == pytest.approx(float(by_hand), rel=1e-5)
    assert metrics["test/num_noise_draws"] == 1 and "test/nats_importance_weighted" not in metrics
    assert (tmp_path / "figures" / "columns.png").is_file()
    assert "Rows of a with 3 columns" in (tmp_path / "report.html").read_text(encoding="utf-8")


class Evidence(Distribution):
    """Pixels that are z plus noise, z standard normal: a bound of log p(x), with q(z | x) = p(z)."""

    arg_constraints = {}

    def __init__(self):
        super().__init__(torch.Size(), torch.Size((1, 4, 4)), validate_args=False)

    def pixels(self, z):
        return Independent(Normal(z[:, :, None, None].expand(-1, -1, 4, 4), 1.0), 3)

    def log_prob(self, value):
        return self.pixels(torch.randn(len(value), 1)).log_prob(value)

    def sample(self, shape=()):
        return self.pixels(torch.randn(*shape, 1)).sample()


class LatentVariable(nn.Module):
    is_bound = True

    def forward(self, context=None):
        return Evidence()

    def latents(self, x, context=None):
        return x.flatten(1).mean(1, keepdim=True)

    def decode(self, z, context=None):
        return z[:, :, None, None].expand(-1, -1, 4, 4)

    def reconstruct(self, x, context=None):
        return x / 4, self.decode(self.latents(x)) / 4


def test_a_latent_variable_model_is_reported_by_its_bound_and_an_exact_one_by_its_value(tmp_path):
    class Exact(nn.Module):
        def forward(self, context=None):
            return Independent(Normal(torch.full((1, 4, 4), 1.5), 1.0), 3)

    reports = {}
    for model in (LatentVariable(), Exact()):
        folder = tmp_path / type(model).__name__
        options = {"num_noise_draws": 5, "num_samples": 4, "temperatures": [1.0]}
        check_density(model, image_set(), NoContext())
        metrics = evaluate_density(model, image_set(), NoContext(), folder, **options)
        text = (folder / "report.html").read_text(encoding="utf-8")
        assert metrics["test/num_noise_draws"] == (5 if hasattr(model, "is_bound") else 1)
        reports[folder.name] = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    latent, exact = reports["LatentVariable"], reports["Exact"]
    assert "An upper bound, not the exact value. Over 12 events, 5 draws for each." in latent
    assert "Test images, tighter bound" in latent and "At 0 nothing is added" in latent
    assert "The cost of each value of an unseen image. Over 12 events.<" in exact
    assert "bound" not in exact and "draws for each" not in exact
    assert "quantis" not in latent + exact and "image itself" not in latent


def test_what_cannot_be_scored_is_named(tmp_path):
    with pytest.raises(UserError, match="expected max_images, num_noise_draws and num_samples of at least 1"):
        evaluate_density(small_flow(), image_set(), NoContext(), tmp_path, max_images=0)


@pytest.mark.parametrize("labelled", [False, True])
def test_a_density_is_evaluated_on_the_device_that_is_asked_for(device, tmp_path, labelled):
    """Also conditional ones; the report names the device."""
    context, features = (LabelContext(), 3) if labelled else (NoContext(), 0)
    found = {}
    for where in ("cpu", device.type):
        torch.manual_seed(0)
        flow = small_flow(features=features)
        given = {"num_samples": 9, "num_noise_draws": 16, "temperatures": [1.0], "device": where}
        found[where] = evaluate_density(
            flow, image_set(labelled=labelled), context, tmp_path / where, **given
        )
        assert {tensor.device.type for tensor in flow.parameters()} == {where}
    assert found["cpu"].keys() == found[device.type].keys()
    cost = "test/bits_per_dimension"
    assert found[device.type][cost] == pytest.approx(found["cpu"][cost], abs=0.05)  # by other draws
    assert str(device) in (tmp_path / device.type / "report.html").read_text()

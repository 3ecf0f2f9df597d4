"""Measures of a density: costs by hand, round trips, baselines; figures, and a report that stands alone."""

import json
import math
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from torch import nn

from wavegen.data.context import LabelContext, NoContext
from wavegen.data.images.image_set import ImageSet
from wavegen.data.tables import table
from wavegen.engines.masked.sampler import MaskedFlowSampler
from wavegen.errors import UserError
from wavegen.evaluation.density.baselines import image_baselines, table_baselines
from wavegen.evaluation.density.evaluate import evaluate_density, round_trips, summary
from wavegen.evaluation.density.subject import Subject
from wavegen.flows import (
    Affine,
    Bijection,
    Chain,
    ChannelSplit,
    Compose,
    Coupling,
    Flow,
    Rescale,
    Squeeze,
    StandardNormal,
    UniformDequantization,
)
from wavegen.models.flows.maf import iaf, maf

files = runpy.run_path(str(Path(__file__).parents[2] / "data" / "image_fixtures.py"))


def image_set(num_levels=4, shape=(1, 4, 4), labelled=True, padding=0):
    sizes = {"train": 40, "dev": 6, "test": 12}
    parts = {
        part: torch.randint(num_levels, (size, *shape), dtype=torch.uint8) for part, size in sizes.items()
    }
    labels = {part: torch.arange(size) % 3 for part, size in sizes.items()}
    names = ("a", "b", "c")
    extra = (labels, names) if labelled else (None, ())
    return ImageSet(
        **parts, num_levels=num_levels, name="x", labels=extra[0], label_names=extra[1], padding=padding
    )


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


class FromContext(nn.Module):
    """An affine coupling's parameters from labels and kept channels, by one linear layer each."""

    num_parameters = 2

    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, 2) if features else None
        self.scale = nn.Parameter(torch.tensor(0.3))

    def forward(self, x, context=None):
        parameters = torch.stack([x.tanh(), 0.1 * x.tanh()], -1) * self.scale
        if self.linear is not None:
            parameters = parameters + self.linear(context)[:, None, None, None, :]
        return parameters


def small_flow(num_levels=4, features=0):
    squeeze = Squeeze()
    coupling = Coupling(split=ChannelSplit(), transform=Affine(), conditioner=FromContext(features))
    body = Compose(Rescale(scale=6.0, loc=-3.0), squeeze, coupling)
    return Flow(bijection=Chain(UniformDequantization(num_levels), body), base=StandardNormal((4, 2, 2)))


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


def test_baselines_by_hand():
    train = torch.zeros(10, 1, 1, 2, dtype=torch.uint8)
    train[:, 0, 0, 1] = torch.tensor([0, 1] * 5, dtype=torch.uint8)
    data = ImageSet(train, train[:2], train[:2], 2, "x")
    values = image_baselines(data, data.test)
    first, second = -math.log2(10.5 / 11), 1.0
    assert values["independent_pixels"] == pytest.approx((first + second) / 2)
    assert values["equal_levels"] == 1.0


def test_baselines_of_a_table_by_hand(tmp_path):
    rng = np.random.default_rng(0)
    first = rng.normal(size=4000)
    np.savez(tmp_path / "a.npz", data=np.stack([first, 0.8 * first + 0.6 * rng.normal(size=4000)], 1))
    data = table(tmp_path / "a.npz")
    values = table_baselines(data, data.test)
    independent = math.log(2 * math.pi * math.e)
    assert values["independent_normals"] == pytest.approx(independent, abs=0.15)
    assert values["one_normal"] == pytest.approx(independent + math.log(0.6), abs=0.15)


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


def test_the_report_stands_alone_and_is_escaped(run):
    folder, metrics = run
    source = (folder / "report.html").read_text(encoding="utf-8")
    without_data = re.sub(r"base64,[A-Za-z0-9+/=]+", "", source)
    assert "http" not in without_data and "<script" not in source
    assert source.count("<img") == 5 and "note: &lt;b&gt;&amp;&lt;/b&gt;" in source
    assert "trained for 7 steps in 1.0 min (1.7 min of CPU time); the weights are those of step 6" in source
    assert f"{metrics['test/bits_per_dimension']:.3f} bits per dimension" in source
    assert "12 test images" in summary(metrics, folder)


def test_level_zero_is_black_and_the_highest_white(tmp_path):
    data = image_set()
    for part in ("train", "dev", "test"):
        getattr(data, part)[:] = 3
        getattr(data, part)[:, :, :, :2] = 0
    evaluate_density(small_flow(), data, NoContext(), tmp_path, num_samples=4)
    picture = imread(tmp_path / "figures" / "reconstructions.png")[..., 0]
    assert (picture == 0).mean() > 0.1 and (picture == 1).mean() > 0.1
    image = picture[: len(picture) // 3]
    assert ((image > 0.02) & (image < 0.98)).mean() < 0.08, "two levels only, and the letters of the names"


def test_labels_as_context_give_samples_by_class(tmp_path):
    evaluate_density(small_flow(features=3), image_set(), LabelContext(), tmp_path, num_samples=4)
    names = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert "classes" in names and "attributes" not in names
    assert "conditioned on the label" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_one_test_image_is_enough(tmp_path):
    data = image_set(labelled=False)
    metrics = evaluate_density(small_flow(), data, NoContext(), tmp_path, max_images=1, num_samples=1)
    assert metrics["test/num_events"] == 1


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


def test_what_cannot_be_scored_is_named(tmp_path):
    with pytest.raises(UserError, match="expected max_images, num_noise_draws and num_samples of at least 1"):
        evaluate_density(small_flow(), image_set(), NoContext(), tmp_path, max_images=0)


@pytest.mark.parametrize("model, compiled", [(maf, True), (iaf, False)])
def test_a_table_is_sampled_by_the_masked_engine_where_that_is_faster(tmp_path, monkeypatch, model, compiled):
    files["write_csv"](tmp_path / "a.csv")
    data, calls = table(tmp_path / "a.csv"), []
    whole = MaskedFlowSampler.sample
    monkeypatch.setattr(MaskedFlowSampler, "sample", lambda *given: calls.append(given) or whole(*given))
    flow = model(features=3, num_flows=2, hidden=[8])
    subject = Subject(flow, data, NoContext(), torch.device("cpu"))
    torch.manual_seed(3)
    drawn = subject.sample(50, None)
    assert bool(calls) == compiled
    torch.manual_seed(3)
    torch.testing.assert_close(drawn, flow().sample((50,)), rtol=1e-4, atol=1e-4)

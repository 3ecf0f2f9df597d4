"""Measures in the plane against closed forms: perfect fits, shifted normals, a density that is known."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from wavegen.data.plane import EightGaussians, Moons
from wavegen.distributions.energies import PlaneDensity
from wavegen.errors import UserError
from wavegen.evaluation import plane
from wavegen.evaluation.plane import (
    divergences,
    draw,
    evaluate_duality,
    evaluate_gallery,
    grid,
    held_out,
    likelihood,
    log_prob,
)
from wavegen.flows import Flow, StandardNormal
from wavegen.flows.permutation import Permutation
from wavegen.training.plane import Fit


class Shifted:
    """A target, moved: what a perfect but biased fit would be."""

    def __init__(self, density, shift):
        self.density, self.shift = density, shift

    def __call__(self):
        return self

    def log_prob(self, x):
        return self.density.log_prob(x - self.shift)

    def rsample_and_log_prob(self, shape):
        x = self.density.sample(shape.numel()) + self.shift
        return x, self.log_prob(x)


def test_a_perfect_fit_is_measured_as_one():
    fit = Fit(EightGaussians(), Shifted(EightGaussians(), 0.0))
    measured = divergences(fit, 2000)
    assert measured["kl_target_model"] == pytest.approx(0, abs=1e-5)
    assert measured["kl_model_target"] == pytest.approx(0, abs=1e-5)
    assert measured["effective_sample_size"] == pytest.approx(1, abs=1e-4)
    assert measured["log_normaliser_estimate"] == pytest.approx(measured["log_normaliser"], abs=1e-5)


def test_both_divergences_of_gaussians_are_the_closed_forms():
    """One mode of width 1 against a standard normal moved by (1, 1): both are ‖(1, 1)‖² / 2 = 1 nat."""

    class Target(EightGaussians):
        def __init__(self):
            super().__init__(noise=1.0)
            self.centres = torch.full((8, 2), 1.0, dtype=torch.float64)

    fit = Fit(Target(), Flow(bijection=Permutation.reverse(2), base=StandardNormal((2,))))
    measured = divergences(fit, 40_000)
    for key in ("kl_target_model", "kl_model_target"):
        assert abs(measured[key] - 1) < 4 * measured[f"{key}_standard_error"] < 0.05
    # E_q[w²] = exp(‖shift‖²)
    assert measured["effective_sample_size"] == pytest.approx(torch.tensor(-2.0).exp().item(), rel=0.2)
    x = held_out(fit.target, 40_000)
    expected = likelihood(fit, 40_000)["log_likelihood"]
    assert expected == pytest.approx(float(torch.distributions.Normal(0, 1).log_prob(x).sum(-1).mean()))


def test_draws_are_the_flows_own_and_leave_the_generator_alone():
    fit = Fit(Moons(), Flow(bijection=Permutation.reverse(2), base=StandardNormal((2,))))
    before = torch.get_rng_state()
    first, again = draw(fit, 10)[0], draw(fit, 10)[0]
    assert torch.equal(first, again)
    assert torch.equal(before, torch.get_rng_state())


def test_pixels_go_from_below_and_from_the_left():
    pixels = grid(4.0, 4)
    assert pixels[0].tolist() == [-3.0, -3.0]
    assert pixels[1].tolist() == [-1.0, -3.0]
    assert pixels[-1].tolist() == [3.0, 3.0]


class ShiftedNormal(PlaneDensity):
    """N((shift, 0), I), its log-density with a normaliser of its own."""

    def __init__(self, shift, log_normaliser=0.7):
        self.shift, self.log_normaliser = torch.tensor([shift, 0.0]), log_normaliser

    def log_density(self, x):
        return self.log_normaliser - (x - self.shift).square().sum(-1) / 2 - math.log(2 * math.pi)

    def sample(self, num_samples, generator=None):
        return self.shift + torch.randn(num_samples, 2, generator=generator)


def normal_fit(shift):
    """A standard normal flow, held against a normal at (shift, 0)."""
    flow = Flow(bijection=Permutation.reverse(2), base=StandardNormal((2,)))
    return Fit(ShiftedNormal(shift), flow)


@pytest.mark.parametrize("shift", [0.5, 1.5])
def test_a_shifted_normal_costs_half_the_squared_shift(shift):
    measured = divergences(normal_fit(shift), 20_000)
    for key in ("kl_target_model", "kl_model_target"):
        error = measured[f"{key}_standard_error"]
        assert abs(measured[key] - shift**2 / 2) < 4 * error
        assert error == pytest.approx(shift / math.sqrt(20_000), rel=0.05), (
            "log p − log q has deviation ‖shift‖"
        )
    assert measured["log_normaliser"] == 0.7
    assert measured["log_normaliser_estimate"] == pytest.approx(0.7, abs=0.1)


def test_a_flow_that_is_the_target_has_no_divergence_and_no_scatter():
    measured = divergences(normal_fit(0.0), 2000)
    for key in ("kl_target_model", "kl_model_target"):
        assert measured[key] == pytest.approx(0, abs=1e-6)
        assert measured[f"{key}_standard_error"] == pytest.approx(0, abs=1e-6)
    assert measured["log_normaliser_estimate"] == pytest.approx(0.7, abs=1e-6)
    assert measured["effective_sample_size"] == pytest.approx(1, abs=1e-6)


def test_held_out_likelihood_is_the_mean_with_its_standard_error():
    """Of a standard normal it is −log 2πe nats, and −½‖x‖² has deviation 1."""
    measured = likelihood(normal_fit(0.0), 20_000)
    error = measured["log_likelihood_standard_error"]
    assert abs(measured["log_likelihood"] + math.log(2 * math.pi * math.e)) < 4 * error
    assert error == pytest.approx(1 / math.sqrt(20_000), rel=0.05)
    assert measured["kl_data_model"] == pytest.approx(0, abs=1e-6)


def test_the_missing_mode_is_seen_by_the_forward_divergence_alone():
    """q is one of the eight Gaussians: KL(q ‖ p) is log 8, weights are all 1/8, and KL(p ‖ q) is huge.

    Up to the tails of the two neighbours, which reach into the mode.
    """

    class OneMode(EightGaussians):
        def __init__(self):
            super().__init__()
            self.centres = self.centres[:1].expand(8, 2)

    target = EightGaussians()
    measured = divergences(Fit(target, Shifted(OneMode(), 0.0)), 1000)
    assert measured["kl_model_target"] == pytest.approx(math.log(8), abs=0.01)
    assert measured["effective_sample_size"] == pytest.approx(1, abs=0.01)
    assert measured["log_normaliser_estimate"] == pytest.approx(target.log_normaliser - math.log(8), abs=0.01)
    assert measured["kl_target_model"] > 10


def test_points_are_held_out_once_for_all():
    target = Moons()
    first = held_out(target, 20)
    torch.manual_seed(5)
    assert torch.equal(first, held_out(target, 20)) and first.shape == (20, 2)


def test_many_points_are_scored_in_parts(monkeypatch):
    fit, x = normal_fit(0.0), torch.randn(10, 2)
    whole = log_prob(fit, x)
    monkeypatch.setattr(plane, "CHUNK", 3)
    torch.testing.assert_close(log_prob(fit, x), whole, rtol=0, atol=0)
    torch.testing.assert_close(whole, -x.square().sum(-1) / 2 - math.log(2 * math.pi))
    assert not whole.requires_grad


def test_the_gallery_writes_its_numbers_and_densities(tmp_path, monkeypatch):
    """Of one normal data set and one flow that is that normal."""
    given = {}
    whole = plane.gallery_figure
    monkeypatch.setattr(
        plane, "gallery_figure", lambda pictures, *rest: given.update(pictures) or whole(pictures, *rest)
    )
    printed = evaluate_gallery({("bell", "maf"): normal_fit(0.0)}, tmp_path, num_points=500, resolution=8)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    measured = likelihood(normal_fit(0.0), 500)
    assert {key: metrics[f"bell/maf/{key}"] for key in measured} == measured
    assert metrics["bell/data/log_likelihood"] == pytest.approx(measured["log_likelihood"], abs=1e-6)
    pixels = grid(4.0, 8)
    expected = (-pixels.square().sum(-1) / 2).exp().view(8, 8) / (2 * math.pi)
    for density in (given["bell"]["density"], given["bell"]["models"]["maf"]):
        np.testing.assert_allclose(density, expected, rtol=1e-5)
    np.testing.assert_array_equal(given["bell"]["samples"], held_out(normal_fit(0.0).target, 500))
    number = f"{measured['log_likelihood']:.3f} ± {measured['log_likelihood_standard_error']:.3f}"
    header, data, model = (line.split() for line in printed.splitlines())
    assert (header, data, model) == (["bell"], ["data", *number.split()], ["maf", *number.split()])
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.json", "gallery.png"}
    assert Image.open(tmp_path / "gallery.png").format == "PNG"


def test_a_model_that_was_not_fitted_to_a_data_set_has_an_empty_cell(tmp_path):
    fits = {("a", "maf"): normal_fit(0.0), ("b", "iaf"): normal_fit(1.0)}
    printed = evaluate_gallery(fits, tmp_path, num_points=50, resolution=4)
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines] == ["a", "data", "maf", "iaf"]
    assert [line.count("±") for line in lines] == [0, 2, 1, 1]
    assert lines[3].index("±") > lines[2].index("±")


def test_duality_writes_both_divergences_of_both_fits(tmp_path):
    fits = {("bell", "forward"): normal_fit(0.5), ("bell", "reverse"): normal_fit(1.0)}
    printed = evaluate_duality(fits, tmp_path, num_points=500, resolution=4)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics == {
        f"bell/{way}/{key}": value
        for (_, way), fit in fits.items()
        for key, value in divergences(fit, 500).items()
    }
    header, forward, reverse = printed.splitlines()
    assert header.split("  ")[-1].strip() == "sample size, share"
    assert forward.startswith("bell forward") and reverse.startswith("bell reverse")
    assert f"{metrics['bell/forward/kl_target_model']:.3f} ±" in forward
    assert f"{metrics['bell/reverse/kl_model_target']:.3f} ±" in reverse
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.json", "duality.png"}


def test_a_figure_that_does_not_fit_the_disk_is_named(tmp_path, full_disk):
    fits = {("bell", "forward"): normal_fit(0.5)}
    with pytest.raises(UserError, match="cannot write .*duality.png"):
        evaluate_duality(fits, tmp_path, num_points=50, resolution=4)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]

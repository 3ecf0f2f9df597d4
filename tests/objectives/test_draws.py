"""Draws for one-dimensional integrals: unbiased, and how they vary."""

import math
import runpy
from pathlib import Path

import pytest
import torch

from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.distributions.precision import open_unit_interval
from wavegen.objectives.draws import IndependentDraws, StratifiedDraws
from wavegen.objectives.monte_carlo_kl import MonteCarloKL

given_laws = runpy.run_path(str(Path(__file__).with_name("given_laws.py")))
ALL, WAVEFORM, Constant, Estimate, mixture, student_law, cross_entropy_by_quadrature = (
    given_laws[name]
    for name in (
        "ALL",
        "WAVEFORM",
        "Constant",
        "Estimate",
        "mixture",
        "student_law",
        "cross_entropy_by_quadrature",
    )
)


def repeated(draws, teacher, law, num_repeats=400):
    divergence = MonteCarloKL(draws=draws)
    estimates = [Estimate(divergence, teacher, WAVEFORM, law, None, ALL) for _ in range(num_repeats)]
    return torch.stack([e.kl for e in estimates]), torch.stack([e.kl_standard_error for e in estimates])


def test_stratified_draws_vary_much_less_at_equal_cost_and_neither_is_biased():
    """Variance falls with 1/N for independent draws and with 1/N² for stratified ones: towards both ends of
    the quantiles the integrand grows like their logarithm, and the two end strata dominate.
    """
    teacher, law = Constant(mixture()), student_law()
    exact = cross_entropy_by_quadrature(law, teacher.law.continuous) - law.entropy().mean()
    variances = {}
    for draws in (IndependentDraws, StratifiedDraws):
        for num_draws in (8, 64):
            kl, reported = repeated(draws(num_draws=num_draws), teacher, law)
            assert abs(kl.mean() - exact) < 4 * kl.std() / math.sqrt(len(kl))
            variances[draws, num_draws] = kl.var().item()
            if draws is IndependentDraws:
                assert reported.square().mean().sqrt().item() == pytest.approx(kl.std().item(), rel=0.15)
    assert variances[IndependentDraws, 8] > 2 * variances[StratifiedDraws, 8]
    assert variances[IndependentDraws, 64] > 10 * variances[StratifiedDraws, 64]
    assert 5 < variances[IndependentDraws, 8] / variances[IndependentDraws, 64] < 13
    assert 25 < variances[StratifiedDraws, 8] / variances[StratifiedDraws, 64] < 160


def test_draws_lie_in_their_strata_and_off_the_ends():
    uniforms = StratifiedDraws(num_draws=5)(torch.empty(100))
    assert uniforms.shape == (5, 100)
    assert torch.equal((uniforms * 5).floor(), torch.arange(5.0).unsqueeze(-1).expand(5, 100))
    for dtype in (torch.float32, torch.float64):
        ends = open_unit_interval(torch.tensor([0.0, 1.0], dtype=dtype))
        assert torch.isfinite(Logistic(torch.zeros(2, dtype=dtype), torch.zeros(2)).icdf(ends)).all()
        assert torch.isfinite(Normal(torch.zeros(2, dtype=dtype), torch.zeros(2)).icdf(ends)).all()


@pytest.mark.parametrize("draws", [IndependentDraws, StratifiedDraws])
def test_draws_are_of_the_shape_and_type_of_what_they_are_for(draws):
    for dtype in (torch.float32, torch.float64):
        uniforms = draws(num_draws=4)(torch.empty(2, 3, dtype=dtype))
        assert uniforms.shape == (4, 2, 3) and uniforms.dtype == dtype
        assert ((uniforms > 0) & (uniforms < 1)).all()


@pytest.mark.parametrize("draws", [IndependentDraws, StratifiedDraws])
def test_the_mean_over_draws_is_the_integral_over_the_unit_interval(draws):
    uniforms = draws(num_draws=50)(torch.empty(2000, dtype=torch.float64))
    means = uniforms.square().mean(0)
    assert abs(means.mean() - 1 / 3) < 4 * means.std() / math.sqrt(len(means))


def test_reported_variances_are_those_of_the_formulas():
    values = torch.tensor([[1.0], [3.0], [8.0]])
    assert IndependentDraws(num_draws=3).variance_of_mean(values).item() == pytest.approx(13 / 3)
    # ½ · (2² + 5²) / 2 over three strata
    assert StratifiedDraws(num_draws=3).variance_of_mean(values).item() == pytest.approx(14.5 / 2 / 3)


@pytest.mark.parametrize("draws", [IndependentDraws, StratifiedDraws])
def test_one_draw_has_no_variance_to_report(draws):
    assert draws(num_draws=1).variance_of_mean(torch.ones(1, 5)).tolist() == [0.0] * 5

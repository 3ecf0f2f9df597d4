"""The divergence by draws: against integrals and closed forms."""

import runpy
from pathlib import Path

import pytest
import torch

from wavegen.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture
from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import DiscretizedNormal, Normal
from wavegen.objectives.draws import IndependentDraws, StratifiedDraws
from wavegen.objectives.gaussian_kl import RegularisedGaussianKL
from wavegen.objectives.monte_carlo_kl import MonteCarloKL

given_laws = runpy.run_path(str(Path(__file__).with_name("given_laws.py")))
SHAPE, ALL, WAVEFORM, Constant, Estimate, mixture, student_law, cross_entropy_by_quadrature = (
    given_laws[name]
    for name in (
        "SHAPE",
        "ALL",
        "WAVEFORM",
        "Constant",
        "Estimate",
        "mixture",
        "student_law",
        "cross_entropy_by_quadrature",
    )
)


@pytest.mark.parametrize("family", [Logistic, Normal])
@pytest.mark.parametrize(
    "draws, tolerance", [(IndependentDraws(num_draws=40_000), 0.01), (StratifiedDraws(num_draws=4_000), 2e-4)]
)
def test_cross_entropy_converges_to_the_integral(draws, tolerance, family):
    teacher, law = Constant(mixture()), student_law(family)
    exact = cross_entropy_by_quadrature(law, teacher.law.continuous)
    estimate = Estimate(MonteCarloKL(draws=draws), teacher, WAVEFORM, law, None, ALL)
    assert estimate.cross_entropy.item() == pytest.approx(exact.item(), abs=tolerance)
    assert estimate.kl.item() == pytest.approx(exact.item() - law.entropy().mean().item(), abs=tolerance)
    assert estimate.kl_standard_error < tolerance or isinstance(draws, StratifiedDraws)


def test_a_teacher_equal_to_the_student_is_at_distance_zero():
    law = student_law()
    one = DiscretizedLogisticMixture(WAVEFORM[..., None], law.loc[..., None], law.log_scale[..., None])
    estimate = Estimate(
        MonteCarloKL(draws=StratifiedDraws(num_draws=20_000)), Constant(one), WAVEFORM, law, None, ALL
    )
    assert abs(estimate.kl) < 2e-4
    estimate = Estimate(
        MonteCarloKL(draws=IndependentDraws(num_draws=500)), Constant(one), WAVEFORM, law, None, ALL
    )
    assert abs(estimate.kl) < 4 * estimate.kl_standard_error


def test_both_estimators_agree_between_gaussians():
    student, teacher = student_law(Normal), student_law(Normal)
    wrapped = Constant(DiscretizedNormal(teacher.loc, teacher.log_scale))
    sampled = Estimate(
        MonteCarloKL(draws=StratifiedDraws(num_draws=20_000)), wrapped, WAVEFORM, student, None, ALL
    )
    closed = Estimate(RegularisedGaussianKL(), wrapped, WAVEFORM, student, None, ALL)
    assert sampled.kl.item() == pytest.approx(closed.kl.item(), abs=1e-3)


def test_masked_samples_do_not_count():
    teacher, law = Constant(mixture()), student_law()
    mask = torch.tensor([[True, False, False], [False, True, True]])
    divergence = MonteCarloKL(draws=StratifiedDraws(num_draws=3000))
    estimate = Estimate(divergence, teacher, WAVEFORM, law, None, mask)
    assert estimate.entropy.item() == pytest.approx(law.entropy()[mask].mean().item())
    alone = [
        Estimate(divergence, teacher, WAVEFORM, law, None, row) for row in torch.eye(6).bool().view(6, *SHAPE)
    ]
    expected = torch.stack([e.kl for e in alone])[mask.flatten()].mean()
    assert estimate.kl.item() == pytest.approx(expected.item(), abs=1e-3)
    assert Estimate(divergence, teacher, WAVEFORM, law, None, ALL & False).kl == 0


@pytest.mark.parametrize("shortfall, warned", [(4.0, True), (2.0, False)])
def test_a_divergence_below_zero_beyond_its_error_is_warned_of(monkeypatch, recwarn, shortfall, warned):
    law = student_law()
    divergence = MonteCarloKL(draws=StratifiedDraws(num_draws=8))
    torch.manual_seed(1)
    honest = Estimate(divergence, Constant(mixture()), WAVEFORM, law, None, ALL)
    gain = honest.kl + shortfall * honest.kl_standard_error
    entropy = type(law).entropy
    monkeypatch.setattr(type(law), "entropy", lambda self: entropy(self) + gain)
    torch.manual_seed(1)
    Estimate(divergence, Constant(mixture()), WAVEFORM, law, None, ALL)
    assert any("negative beyond its standard error" in str(warning.message) for warning in recwarn) == warned

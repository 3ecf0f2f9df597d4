"""The divergence between student and teacher: against integrals, closed forms and finite differences."""

import math

import pytest
import torch
from torch import nn

from wavegen.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture
from wavegen.distributions.heads import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import DiscretizedNormal, Normal
from wavegen.distributions.precision import open_unit_interval
from wavegen.errors import UserError
from wavegen.objectives.distillation import DistillationStep, Term, WeightedTerm, weighted_terms
from wavegen.objectives.draws import IndependentDraws, StratifiedDraws
from wavegen.objectives.gaussian_kl import RegularisedGaussianKL
from wavegen.objectives.monte_carlo_kl import MonteCarloKL
from wavegen.objectives.power import PowerLoss

SHAPE = (2, 3)
ALL = torch.ones(SHAPE, dtype=torch.bool)
WAVEFORM = torch.zeros(SHAPE, dtype=torch.float64)


class Constant(nn.Module):
    """A teacher whose law of every sample is given, whatever the past."""

    def __init__(self, law):
        super().__init__()
        self.law = law

    def conditionals(self, x, context):
        return self.law


class Said:
    """A student that says a given sample, by given laws."""

    def __init__(self, waveform, law):
        self.spoken = waveform, law

    def noise(self, shape):
        return None

    def rsample_with_conditionals(self, noise, context):
        return self.spoken


class Estimate:
    """A divergence's term by its parts."""

    def __init__(self, divergence, teacher, waveform, law, context, mask):
        step = DistillationStep(
            teacher=teacher, student=Said(waveform, law), recording=waveform, context=context, mask=mask
        )
        term = divergence(step)
        self.loss = term.value
        for name, value in term.log.items():
            setattr(self, name.removesuffix("_nats"), value)


def mixture():
    parameters = torch.randn(3, *SHAPE, 4, dtype=torch.float64)
    return DiscretizedLogisticMixture(parameters[0], 0.3 * parameters[1], -2 + 0.5 * parameters[2])


def student_law(family=Logistic):
    loc, log_scale = torch.randn(2, *SHAPE, dtype=torch.float64)
    return family(0.2 * loc, -2 + 0.3 * log_scale)


def cross_entropy_by_quadrature(law, density):
    """−∫ q log p by the trapezoidal rule over ±60 scales, where an analytic integrand converges fast."""
    u = torch.linspace(-60, 60, 20_001, dtype=torch.float64)
    x = law.loc + law.scale * u.view(-1, 1, 1)
    integrand = -law.log_prob(x).exp() * density.log_prob(x)
    return (integrand.sum(0) * (u[1] - u[0]) * law.scale).mean()


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


@pytest.mark.parametrize("family", [Logistic, Normal])
def test_the_students_law_of_its_own_sample_is_its_density_by_inversion(make_student, make_context, family):
    student, context = make_student(family, num_flows=3), make_context(4, 5)
    noise = student.noise((4, 20))
    x, conditionals = student.rsample_with_conditionals(noise, context)
    by_inversion = student(context).log_prob(x)
    torch.testing.assert_close(conditionals.log_prob(x).sum(-1), by_inversion, rtol=1e-9, atol=1e-9)


def test_entropy_is_that_of_the_change_of_variables_density(make_student, make_context):
    student, context = make_student(), make_context(1, 3)
    context = context.select(torch.zeros(4000, dtype=torch.int64))
    with torch.no_grad():
        x, conditionals = student.rsample_with_conditionals(student.noise((4000, 12)), context)
        difference = -student(context).log_prob(x) - conditionals.entropy().sum(-1)
    assert abs(difference.mean()) < 4 * difference.std() / math.sqrt(len(difference))
    assert difference.std() < 10


def divergence_of(student, teacher, divergence, noise, context):
    mask = torch.arange(noise.shape[-1]).expand_as(noise) >= 3
    torch.manual_seed(5)
    waveform, conditionals = student.rsample_with_conditionals(noise, context)
    return Estimate(divergence, teacher, waveform, conditionals, context, mask)


@pytest.mark.parametrize(
    "family, head, divergence",
    [
        (Logistic, LogisticMixtureHead(3, -9.0), MonteCarloKL(draws=StratifiedDraws(num_draws=6))),
        (Logistic, LogisticMixtureHead(3, -9.0), MonteCarloKL(draws=IndependentDraws(num_draws=2))),
        (Normal, NormalHead(-9.0), RegularisedGaussianKL()),
        (Normal, NormalHead(-9.0), MonteCarloKL(draws=StratifiedDraws(num_draws=6))),
    ],
    ids=["stratified", "independent", "closed form", "stratified between Gaussians"],
)
def test_gradient_is_that_of_finite_differences(
    make_teacher, make_student, make_context, family, head, divergence
):
    teacher, student, context = make_teacher(head), make_student(family), make_context(2, 4)
    teacher.requires_grad_(False)
    noise, step = student.noise((2, 16)), 1e-6
    divergence_of(student, teacher, divergence, noise, context).loss.backward()
    for name, parameter in student.named_parameters():
        direction = torch.randn_like(parameter)
        values = []
        with torch.no_grad():
            for sign in (1, -1):
                parameter.add_(sign * step * direction)
                values.append(divergence_of(student, teacher, divergence, noise, context).loss)
                parameter.sub_(sign * step * direction)
        numeric = (values[0] - values[1]) / (2 * step)
        analytic = (parameter.grad * direction).sum()
        torch.testing.assert_close(analytic, numeric, rtol=1e-5, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")


def test_gradient_reaches_the_sample_through_a_teacher_that_gets_none(make_teacher, make_context):
    teacher = make_teacher(LogisticMixtureHead(2, -9.0)).requires_grad_(False)
    waveform = torch.randn(2, 16, dtype=torch.float64, requires_grad=True)
    law = Logistic(torch.zeros(2, 16).double(), torch.zeros(2, 16).double() - 3)
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[0, 9] = True
    divergence = MonteCarloKL(draws=StratifiedDraws(num_draws=4))
    Estimate(divergence, teacher, waveform, law, make_context(2, 4), mask).loss.backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    touched = waveform.grad.nonzero().tolist()
    assert touched == [[0, t] for t in range(9 - teacher.receptive_field, 9)]


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
    gaussian = student_law(Normal)
    same = Constant(DiscretizedNormal(gaussian.loc, gaussian.log_scale))
    estimate = Estimate(RegularisedGaussianKL(), same, WAVEFORM, gaussian, None, ALL)
    # Not 0 to the last bit: exponentials of a vector and of its remainder may round differently.
    assert abs(estimate.kl) < 1e-15 and abs(estimate.loss) < 1e-15


def test_the_closed_form_is_that_of_torch_with_the_regulariser_by_hand():
    student, teacher = student_law(Normal), student_law(Normal)
    mask = torch.tensor([[True, False, True], [True, True, False]])
    wrapped = Constant(DiscretizedNormal(teacher.loc, teacher.log_scale))
    estimate = Estimate(RegularisedGaussianKL(regularisation=4.0), wrapped, WAVEFORM, student, None, mask)
    q, p = (torch.distributions.Normal(law.loc, law.log_scale.exp()) for law in (student, teacher))
    kl = torch.distributions.kl_divergence(q, p)[mask].mean()
    gap = (teacher.log_scale - student.log_scale).square()[mask].mean()
    torch.testing.assert_close(estimate.kl, kl)
    torch.testing.assert_close(estimate.loss, kl + 4 * gap)
    torch.testing.assert_close(estimate.entropy, q.entropy()[mask].mean())
    torch.testing.assert_close(estimate.cross_entropy, kl + q.entropy()[mask].mean())


def test_below_the_floor_the_kl_stands_still_and_the_regulariser_pulls():
    loc = torch.zeros(SHAPE, dtype=torch.float64)
    log_scale = torch.full(SHAPE, -8.0, dtype=torch.float64, requires_grad=True)
    teacher = Constant(DiscretizedNormal(loc, loc - 7))
    estimate = Estimate(
        RegularisedGaussianKL(min_log_scale=-6.0), teacher, loc, Normal(loc, log_scale), None, ALL
    )
    assert estimate.kl == 0
    assert estimate.loss.item() == pytest.approx(4.0)
    estimate.loss.backward()
    assert (log_scale.grad < 0).all(), "descent raises the student's scale towards the teacher's"


def test_both_estimators_agree_between_gaussians():
    student, teacher = student_law(Normal), student_law(Normal)
    wrapped = Constant(DiscretizedNormal(teacher.loc, teacher.log_scale))
    sampled = Estimate(
        MonteCarloKL(draws=StratifiedDraws(num_draws=20_000)), wrapped, WAVEFORM, student, None, ALL
    )
    closed = Estimate(RegularisedGaussianKL(), wrapped, WAVEFORM, student, None, ALL)
    assert sampled.kl.item() == pytest.approx(closed.kl.item(), abs=1e-3)


def test_what_cannot_be_distilled_is_named(make_teacher, make_context):
    mu_law = make_teacher(MuLawHead(8))
    with pytest.raises(UserError, match="got the head MuLawCategorical"):
        Estimate(RegularisedGaussianKL(), mu_law, torch.zeros(1, 8).double(), None, make_context(1, 2), ALL)
    with pytest.raises(UserError, match="needs a Gaussian teacher and student, got LogisticMix"):
        Estimate(RegularisedGaussianKL(), Constant(mixture()), WAVEFORM, student_law(Normal), None, ALL)


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


class Counting(Constant):
    calls = 0

    def conditionals(self, x, context):
        self.calls += 1
        return self.law


def test_what_terms_share_is_computed_when_asked_for_and_once(make_student, make_context):
    teacher, student, context = Counting(mixture()), make_student(), make_context(2, 5)
    spoken, whole = [], student.rsample_with_conditionals
    student.rsample_with_conditionals = lambda *given: spoken.append(given) or whole(*given)
    recording = torch.zeros(2, 20, dtype=torch.float64)
    step = DistillationStep(
        teacher=teacher, student=student, recording=recording, context=context, mask=recording == 0
    )
    assert not spoken and not teacher.calls
    assert step.sample is step.sample and step.conditionals is step.conditionals and len(spoken) == 1
    assert step.teacher_density is step.teacher_density and teacher.calls == 1
    torch.testing.assert_close(step.shuffled_context["features"], context["features"].flip(0))
    assert step.teacher_density_given(step.shuffled_context) is not None and teacher.calls == 2


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


class Mean(nn.Module):
    def forward(self, step):
        return Term(step.sample.mean(), {"level": step.sample.std()})


def test_a_weight_rises_from_a_tenth_of_itself():
    term = WeightedTerm(loss=Mean(), weight=2.0, warmup_steps=100)
    assert [term.weight_after(steps) for steps in (0, 50, 100, 200)] == pytest.approx([0.2, 1.1, 2.0, 2.0])
    assert WeightedTerm(loss=Mean(), weight=3.0).weight_after(0) == 3.0


def test_terms_are_made_of_the_entries_that_are_there_and_learn_levels():
    power = PowerLoss(resolutions_ms=[(40, 10)], sample_rate=8000)
    entries = {"mean": {"loss": Mean()}, "power": {"loss": power, "weight": 20.0}, "none": None}
    terms = weighted_terms(entries, [0.1 * torch.randn(800)])
    assert list(terms) == ["mean", "power"] and terms["power"].weight == 20.0
    assert power.units.all()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "objective has no term"),
        ({"power": None}, "objective has no term"),
        ({"power": {"weight": 1.0}}, "objective.power has weight, expected loss, weight and warmup_steps"),
        ({"power": {"loss": Mean(), "wieght": 1.0}}, "objective.power has loss, wieght, expected"),
        ({"power": 3}, "objective.power has 3, expected"),
    ],
)
def test_entries_of_another_form_are_named(entries, message):
    with pytest.raises(UserError, match=message):
        weighted_terms(entries, [])

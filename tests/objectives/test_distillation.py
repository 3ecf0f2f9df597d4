"""The divergence between student and teacher: against integrals, closed forms and finite differences."""

import math
import runpy
from pathlib import Path

import pytest
import torch
from torch import nn

from wavegen.distributions.heads import LogisticMixtureHead, NormalHead
from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.errors import UserError
from wavegen.objectives.distillation import (
    DistillationStep,
    Term,
    WeightedTerm,
    distillation_terms,
    weighted_terms,
)
from wavegen.objectives.draws import IndependentDraws, StratifiedDraws
from wavegen.objectives.gaussian_kl import RegularisedGaussianKL
from wavegen.objectives.monte_carlo_kl import MonteCarloKL
from wavegen.objectives.power import PowerLoss

given_laws = runpy.run_path(str(Path(__file__).with_name("given_laws.py")))
Constant, Estimate, mixture = (given_laws[name] for name in ("Constant", "Estimate", "mixture"))


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


class Mean(nn.Module):
    def forward(self, step):
        return Term(step.sample.mean(), {"level": step.sample.std()})


def test_a_weight_rises_from_a_tenth_of_itself():
    term = WeightedTerm(loss=Mean(), weight=2.0, warmup_steps=100)
    weights = [term.weight_after(steps, 400) for steps in (0, 50, 100, 200)]
    assert weights == pytest.approx([0.2, 1.1, 2.0, 2.0])
    assert WeightedTerm(loss=Mean(), weight=3.0).weight_after(0, 400) == 3.0


def test_a_term_may_start_later_and_warm_up_then():
    term = WeightedTerm(loss=Mean(), weight=2.0, warmup_steps=100, start_share=0.25)
    weights = [term.weight_after(steps, 400) for steps in (0, 99, 100, 150, 200, 400)]
    assert weights == pytest.approx([0, 0, 0.2, 1.1, 2.0, 2.0])
    assert [term.has_started(steps, 400) for steps in (0, 99, 100, 400)] == [False, False, True, True]
    with pytest.raises(UserError, match="objective.mean.start_share must be a share of the training, 0 to 1"):
        distillation_terms({"mean": {"loss": Mean(), "start_share": 1.5}}, [])


def test_terms_are_made_of_the_entries_that_are_there_and_learn_levels():
    power = PowerLoss(resolutions_ms=[(40, 10)], sample_rate=8000)
    entries = {"mean": {"loss": Mean()}, "power": {"loss": power, "weight": 20.0}, "none": None}
    terms = distillation_terms(entries, [0.1 * torch.randn(800)])
    assert list(terms) == ["mean", "power"] and terms["power"].weight == 20.0
    assert power.spectra.units.all()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "objective has no term"),
        ({"power": None}, "objective has no term"),
        (
            {"one": {"loss": Mean(), "start_share": 0.1}, "other": {"loss": Mean(), "start_share": 0.2}},
            "objective has no term that counts from the first step",
        ),
        ({"power": {"weight": 1.0}}, "objective.power has weight, expected loss, weight, warmup_st"),
        ({"power": {"loss": Mean(), "wieght": 1.0}}, "objective.power has loss, wieght, expected"),
        ({"power": 3}, "objective.power has 3, expected"),
        (
            {"power": {"loss": {"frame_ms": 20}}},
            "objective.power.loss has no _target_, expected the _target_ of a",
        ),
        (
            {"power": {"loss": Mean}},
            "objective.power.loss has the type type, expected the _target_ of a module",
        ),
    ],
)
def test_entries_of_another_form_are_named(entries, message):
    with pytest.raises(UserError, match=message):
        distillation_terms(entries, [])


def test_terms_of_another_training_may_be_none_and_have_no_times():
    assert not weighted_terms("training.distances", {"power": None}, [])
    with pytest.raises(
        UserError, match=r"training.distances.mean has loss, warmup_steps, expected loss and w"
    ):
        weighted_terms("training.distances", {"mean": {"loss": Mean(), "warmup_steps": 5}}, [])

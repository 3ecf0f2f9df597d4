"""The closed form between Gaussians, and its regulariser."""

import runpy
from pathlib import Path

import pytest
import torch

from wavegen.distributions.heads import MuLawHead
from wavegen.distributions.normal import DiscretizedNormal, Normal
from wavegen.errors import UserError
from wavegen.objectives.gaussian_kl import RegularisedGaussianKL

given_laws = runpy.run_path(str(Path(__file__).with_name("given_laws.py")))
SHAPE, ALL, WAVEFORM, Constant, Estimate, mixture, student_law = (
    given_laws[name]
    for name in ("SHAPE", "ALL", "WAVEFORM", "Constant", "Estimate", "mixture", "student_law")
)


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


def test_what_cannot_be_distilled_is_named(make_teacher, make_context):
    mu_law = make_teacher(MuLawHead(8))
    with pytest.raises(UserError, match="got the head MuLawCategorical"):
        Estimate(RegularisedGaussianKL(), mu_law, torch.zeros(1, 8).double(), None, make_context(1, 2), ALL)
    with pytest.raises(UserError, match="needs a Gaussian teacher and student, got LogisticMix"):
        Estimate(RegularisedGaussianKL(), Constant(mixture()), WAVEFORM, student_law(Normal), None, ALL)


def test_a_teacher_equal_to_the_student_is_at_distance_zero():
    gaussian = student_law(Normal)
    same = Constant(DiscretizedNormal(gaussian.loc, gaussian.log_scale))
    estimate = Estimate(RegularisedGaussianKL(), same, WAVEFORM, gaussian, None, ALL)
    # Not 0 to the last bit: exponentials of a vector and of its remainder may round differently.
    assert abs(estimate.kl) < 1e-15 and abs(estimate.loss) < 1e-15

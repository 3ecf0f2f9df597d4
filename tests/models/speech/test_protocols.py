"""The protocols of speech models: teacher and student fit, with the shapes promised, and others do not."""

import pytest
import torch
from torch import nn

from wavegen.distributions.heads import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.models.flows.maf import maf
from wavegen.models.speech.protocols import ParallelModel, SequentialModel

HEADS = [LogisticMixtureHead(2, -9.0), NormalHead(-9.0), MuLawHead()]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: type(head).__name__)
def test_a_teacher_is_a_sequential_model(make_teacher, make_context, head):
    teacher, context = make_teacher(head), make_context(3, 5)
    waveform = torch.rand(3, 20, dtype=torch.float64) - 0.5
    assert isinstance(teacher, SequentialModel) and not isinstance(teacher, ParallelModel)
    assert next(teacher.parameters()).dtype == torch.float64
    conditionals = teacher.conditionals(waveform, context)
    assert conditionals.batch_shape == (3, 20)
    values = conditionals.sample()
    assert values.shape == conditionals.log_prob(values).shape == (3, 20)
    assert hasattr(conditionals, "continuous") == (not isinstance(head, MuLawHead))

    changed = waveform.clone()
    changed[:, 6] *= -1
    others = teacher.conditionals(changed, context).log_prob(values)
    depends = (others != conditionals.log_prob(values)).any(0)
    behind = 6 + 1 + teacher.receptive_field
    assert behind < 20 and depends[7:behind].any()
    assert not depends[:7].any() and not depends[behind:].any()


@pytest.mark.parametrize("family", [Logistic, Normal])
def test_a_student_is_a_parallel_model(make_student, make_context, family):
    student, context = make_student(family=family), make_context(3, 5)
    assert isinstance(student, ParallelModel) and not isinstance(student, SequentialModel)
    assert next(student.parameters()).dtype == torch.float64
    noise = student.noise((3, 20), torch.Generator().manual_seed(1))
    assert noise.shape == (3, 20)
    assert torch.equal(noise, student.noise((3, 20), torch.Generator().manual_seed(1)))
    waveform, law = student.rsample_with_conditionals(noise.requires_grad_(), context)
    assert waveform.shape == (3, 20)
    assert isinstance(law, family) and law.batch_shape == (3, 20)
    assert law.loc.shape == law.log_scale.shape == (3, 20)

    (gradient,) = torch.autograd.grad(waveform[:, 15].sum(), noise)
    first = 15 - student.receptive_field
    assert first > 0 and gradient[:, 15].all()
    assert not gradient[:, :first].any() and not gradient[:, 16:].any()


def test_other_models_are_neither():
    for other in (maf(features=2, num_flows=1, hidden=[4]), nn.Linear(1, 1)):
        assert not isinstance(other, SequentialModel) and not isinstance(other, ParallelModel)

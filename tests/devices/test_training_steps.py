"""Steps of training on a device: the CPU's losses and gradients, and few places that wait for the device."""

from collections import Counter

import imitation
import pytest
import torch
from torch import nn

from wavegen.data.speech.segments import Batch
from wavegen.distributions.heads import LogisticMixtureHead
from wavegen.objectives.distillation import WeightedTerm
from wavegen.objectives.draws import StratifiedDraws
from wavegen.objectives.likelihood import negative_log_likelihood
from wavegen.objectives.monte_carlo_kl import MonteCarloKL
from wavegen.objectives.paper_power import PaperPowerLoss
from wavegen.objectives.power import PowerLoss
from wavegen.training.budget import Budget
from wavegen.training.distillation import DistillationTraining

FRAMES, HOP = 200, 4


@pytest.fixture
def batch(make_context):
    mask = torch.ones(2, FRAMES * HOP, dtype=torch.bool)
    mask[1, -20:] = False
    waveform = 0.1 * torch.randn(2, FRAMES * HOP, dtype=torch.float64)
    return Batch(waveform, make_context(2, FRAMES), mask)


@pytest.fixture
def distillation(make_teacher, make_student, batch):
    power = PowerLoss(
        sample_rate=8000, resolutions_ms=[(40, 10)], low_band_hz=3000, low_band_weight=2.0, log_weight=0.5
    )
    losses = {
        "divergence": MonteCarloKL(draws=StratifiedDraws(num_draws=2)),
        "power": power,
        "paper_power": PaperPowerLoss(sample_rate=8000),
    }
    for name in ("power", "paper_power"):
        losses[name].fit_to_data(list(batch.waveform))
    terms = {name: WeightedTerm(loss=loss, weight=1.0) for name, loss in losses.items()}
    return DistillationTraining(
        teacher=make_teacher(LogisticMixtureHead(3, -6.0)),
        student=make_student(),
        terms=nn.ModuleDict(terms),
        optimizer=torch.optim.Adam,
        budget=Budget(max_steps=10),
    )


def step(training, batch):
    """The loss and the student's gradients, with noise of the CPU where the device has none of its own."""
    torch.manual_seed(0)
    training.zero_grad()
    loss, _ = training.loss(batch)
    loss.backward()
    return loss, [parameter.grad for parameter in training.student.parameters()]


def test_a_distillation_step_is_that_of_the_cpu(device, distillation, batch):
    expected, of_cpu = step(distillation, batch)
    expected, of_cpu = expected.detach(), [gradient.clone() for gradient in of_cpu]
    distillation.to(device).teacher.to(device)
    found, gradients = step(distillation, batch.to(device))
    assert found.device == device and {gradient.device for gradient in gradients} == {device}
    if device.type == "imitated":  # a GPU draws other noise
        torch.testing.assert_close(found.detach().cpu(), expected)
        for own, other in zip(gradients, of_cpu, strict=True):
            torch.testing.assert_close(own.cpu(), other)


def test_a_distillation_step_waits_for_the_device_where_losses_are_checked(device, distillation, batch):
    """Once for each term that must be finite, each reference level, and each waveform that a term cuts."""
    if device.type != "imitated":
        pytest.skip("only the imitation lists them")
    distillation.to(device).teacher.to(device)
    on_device = batch.to(device)
    with imitation.waits() as found:
        step(distillation, on_device)
    assert Counter(wait.partition(":")[0] for wait in found) == {
        "training/module.py": 3,
        "objectives/monte_carlo_kl.py": 1,
        "objectives/short_time.py": 1,
        "objectives/paper_power.py": 1,
        "objectives/reduction.py": 4,
    }


def test_a_likelihood_step_is_that_of_the_cpu(device, make_teacher, batch):
    teacher = make_teacher(LogisticMixtureHead(3, -6.0), linear_prediction_order=3)
    expected = negative_log_likelihood(teacher, batch.waveform, batch.context, batch.mask)
    there = batch.to(device)
    found = negative_log_likelihood(teacher.to(device), there.waveform, there.context, there.mask)
    torch.testing.assert_close(found.cpu(), expected)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        context = there.context.to(torch.float32)
        rounded = negative_log_likelihood(teacher.float(), there.waveform.float(), context, there.mask)
    assert rounded.dtype == torch.float32
    assert rounded.item() == pytest.approx(expected.item(), rel=0.02)

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wavegen.distributions import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.errors import UserError
from wavegen.flows import (
    Autoregressive,
    AutoregressiveModel,
    Flow,
    MixtureOfLogisticsCDF,
    MixtureOfLogisticsLogit,
    StandardLogistic,
    StandardUniform,
)
from wavegen.nets.made import MADE


class CausalConvolution(nn.Module):
    def __init__(self, num_parameters: int) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.past = nn.Conv1d(1, 8, 4)
        self.out = nn.Conv1d(8, num_parameters, 1)

    def forward(self, x, context=None):
        shifted = nn.functional.pad(x.unsqueeze(1), (4, 0))[..., :-1]
        hidden = torch.tanh(self.past(shifted) + (0 if context is None else context.unsqueeze(-1)))
        return self.out(hidden).transpose(1, 2)


@pytest.mark.parametrize(
    "transform, base",
    [
        (MixtureOfLogisticsCDF(4, -9.0), StandardUniform((5,))),
        (MixtureOfLogisticsLogit(4, -9.0), StandardLogistic((5,))),
    ],
    ids=["cdf over uniform", "logit over logistic"],
)
def test_the_teacher_is_a_flow(transform, base):
    """One conditioner read as a masked autoregressive flow and as a head's continuous density: the same
    number.
    """
    torch.manual_seed(0)
    made = MADE(5, 12, [32, 32], context_features=2, order=[3, 0, 4, 1, 2])
    flow = Flow(bijection=Autoregressive(transform=transform, conditioner=made), base=base).double()
    teacher = AutoregressiveModel(conditioner=made, head=LogisticMixtureHead(4, -9.0))
    x, context = torch.randn(20, 5, dtype=torch.float64), torch.randn(20, 2, dtype=torch.float64)
    density = teacher.conditionals(x, context).continuous.log_prob(x).sum(-1)
    torch.testing.assert_close(flow(context).log_prob(x), density, rtol=1e-10, atol=1e-10)


def test_mass_is_density_times_step_on_rounded_audio():
    """docs/mathematics.md: with scales far above the step, log mass = log density + T log step."""
    torch.manual_seed(0)
    model = AutoregressiveModel(conditioner=CausalConvolution(12), head=LogisticMixtureHead(4, -6.0)).double()
    x = torch.round(torch.randn(2, 50, dtype=torch.float64).clamp(-3, 3) * 0.1 * 2**15) / 2**15
    mass = model().log_prob(x)
    density = model.conditionals(x).continuous.log_prob(x).sum(-1)
    torch.testing.assert_close(mass, density + 50 * math.log(2.0**-15), rtol=0, atol=1e-2)


@pytest.mark.parametrize("head", [LogisticMixtureHead(3, -9.0), NormalHead(-9.0), MuLawHead(32)], ids=repr)
def test_sample_equals_drawing_one_element_after_another(head):
    torch.manual_seed(0)
    model = AutoregressiveModel(
        conditioner=CausalConvolution(head.num_parameters), head=head, event_shape=(15,)
    ).double()
    distribution = model(torch.randn(3, 8, dtype=torch.float64))
    torch.manual_seed(7)
    x = distribution.sample()
    torch.manual_seed(7)
    u = torch.rand(2, 3, 15, dtype=torch.float64)
    sequential = torch.zeros(3, 15, dtype=torch.float64)
    for t in range(15):
        drawn = distribution.conditionals(sequential).sample_from_uniforms(u[0], u[1])
        sequential[:, t] = drawn[:, t]
    torch.testing.assert_close(x, sequential, rtol=0, atol=1e-12)
    assert distribution.log_prob(x).isfinite().all()


def test_samples_have_the_model_s_distribution():
    """Two elements on a grid of four points: all sixteen frequencies against their exact probabilities."""
    torch.manual_seed(0)
    head = LogisticMixtureHead(2, -3.0, step=0.5, low=-1.0, high=0.5)
    model = AutoregressiveModel(conditioner=MADE(2, 6, [8]), head=head, event_shape=(2,)).double()
    grid = torch.tensor([-1.0, -0.5, 0.0, 0.5], dtype=torch.float64)
    points = torch.cartesian_prod(grid, grid)
    with torch.no_grad():
        probability = model().log_prob(points).exp()
    assert abs(probability.sum().item() - 1) < 1e-12
    count = 40_000
    x = model().sample((count,))
    frequency = (x[:, None] == points).all(-1).double().mean(0)
    assert (
        (frequency - probability).abs() < 4.5 * (probability * (1 - probability) / count).sqrt() + 1e-6
    ).all()


@settings(deadline=None, max_examples=12)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    draws=st.lists(st.integers(1, 2), max_size=2),
)
def test_unequal_lengths_score_as_alone(lengths, draws):
    torch.manual_seed(0)
    model = AutoregressiveModel(conditioner=CausalConvolution(9), head=LogisticMixtureHead(3, -9.0)).double()
    context = torch.randn(len(lengths), 8, dtype=torch.float64)
    distribution = model(context, torch.tensor(lengths))
    x = distribution.sample(tuple(draws))
    assert x.shape == (*draws, len(lengths), max(lengths))
    log_prob = distribution.log_prob(x)
    assert log_prob.shape == (*draws, len(lengths))
    for i, length in enumerate(lengths):
        assert (x[..., i, length:] == 0).all()
        alone = model(context[i : i + 1]).log_prob(x[..., i : i + 1, :length])
        torch.testing.assert_close(log_prob[..., i], alone[..., 0], rtol=1e-10, atol=1e-10)


def test_padding_cannot_leak_even_as_nan():
    model = AutoregressiveModel(conditioner=CausalConvolution(9), head=LogisticMixtureHead(3, -9.0))
    x = torch.zeros(2, 6)
    x[0, 4:] = math.nan
    log_prob = model(lengths=torch.tensor([4, 6])).log_prob(x)
    assert log_prob.isfinite().all()


def test_refusals():
    with pytest.raises(UserError, match="expected a conditioner with 9 parameters"):
        AutoregressiveModel(conditioner=CausalConvolution(8), head=LogisticMixtureHead(3, -9.0))
    model = AutoregressiveModel(conditioner=CausalConvolution(9), head=LogisticMixtureHead(3, -9.0))
    with pytest.raises(UserError, match="lengths or an event_shape"):
        model().sample()
    with pytest.raises(UserError, match=r"lengths: expected shape \(2,\)"):
        model(torch.zeros(2, 8), torch.tensor([1, 2, 3]))

"""Masses of whole levels: they sum to one, draws have their frequencies, other values are refused."""

import math

import pytest
import torch
from torch import nn

from wavegen.distributions.autoregressive import AutoregressiveModel
from wavegen.distributions.discrete_heads import BernoulliHead, CategoricalHead
from wavegen.errors import UserError
from wavegen.nets.made import MADE

CASES = [(CategoricalHead(4), 4), (BernoulliHead(), 2)]


@pytest.mark.parametrize("head, num_levels", CASES, ids=repr)
def test_masses_sum_to_one_and_are_those_of_the_logits(head, num_levels):
    parameters = torch.randn(3, head.num_parameters, dtype=torch.float64)
    levels = torch.arange(num_levels, dtype=torch.float64).unsqueeze(-1)
    masses = head(parameters).log_prob(levels.expand(num_levels, 3)).exp()
    torch.testing.assert_close(masses.sum(0), torch.ones(3, dtype=torch.float64))
    logits = parameters if num_levels > 2 else torch.cat([torch.zeros_like(parameters), parameters], -1)
    torch.testing.assert_close(masses.T, logits.softmax(-1))


@pytest.mark.parametrize("head, num_levels", CASES, ids=repr)
def test_a_uniform_is_inverted(head, num_levels):
    """Equal steps of the uniform give every level its mass; at a low temperature only the mode is left."""
    parameters = torch.randn(head.num_parameters, dtype=torch.float64)
    uniform = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    distribution = head(parameters)
    masses = distribution.log_prob(torch.arange(num_levels, dtype=torch.float64)).exp()
    shares = torch.stack([(distribution.sample_from_uniforms(uniform, None) == k) for k in range(num_levels)])
    torch.testing.assert_close(shares.double().mean(-1), masses, atol=2e-5, rtol=0)
    assert (distribution.sample_from_uniforms(uniform[1:-1], None, 1e-6) == masses.argmax()).all()
    drawn = distribution.sample((4000,))
    assert drawn.dtype == torch.float64
    error = math.sqrt(0.25 / 4000)
    assert all(abs((drawn == k).double().mean() - masses[k]) < 4 * error for k in range(num_levels))


@pytest.mark.parametrize("value", [-1.0, 0.5, 4.0])
def test_what_is_no_level_is_refused(value):
    with pytest.raises(UserError, match="expected whole levels of 0 to 3"):
        CategoricalHead(4)(torch.zeros(4)).log_prob(torch.tensor(value))
    with pytest.raises(UserError, match="expected 0 and 1"):
        BernoulliHead()(torch.zeros(1)).log_prob(torch.tensor(value))


def test_one_level_is_none():
    with pytest.raises(UserError, match="num_levels: expected at least 2"):
        CategoricalHead(1)


class Centred(nn.Module):
    """A MADE that reads levels as numbers around zero."""

    def __init__(self, made):
        super().__init__()
        self.made, self.num_parameters = made, made.num_parameters

    def forward(self, x, context=None):
        return self.made(x - 1, context)


@pytest.mark.parametrize("head, num_levels", CASES, ids=repr)
def test_a_causal_conditioner_makes_of_it_a_distribution_of_vectors(head, num_levels):
    """All masses of all vectors sum to one, and a sample is one of them."""
    conditioner = Centred(MADE(3, head.num_parameters, [16])).double()
    model = AutoregressiveModel(conditioner=conditioner, head=head, event_shape=(3,))
    grid = torch.cartesian_prod(*[torch.arange(num_levels, dtype=torch.float64)] * 3)
    torch.testing.assert_close(model().log_prob(grid).exp().sum().item(), 1.0)
    drawn = model().sample((200,))
    assert drawn.shape == (200, 3) and torch.isfinite(model().log_prob(drawn)).all()

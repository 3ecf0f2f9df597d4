import math

import pytest
import torch

from wavegen.distributions.logistic import Logistic


@pytest.fixture
def logistic():
    return Logistic(
        torch.tensor([0.3, -2.0, 0.0], dtype=torch.float64),
        torch.tensor([-3.0, 0.5, 0.0], dtype=torch.float64),
    )


def test_density_is_the_derivative_of_the_cdf(logistic):
    x = (
        logistic.loc + torch.linspace(-8, 8, 33, dtype=torch.float64)[:, None] * logistic.scale
    ).requires_grad_()
    (slope,) = torch.autograd.grad(logistic.cdf(x).sum(), x)
    torch.testing.assert_close(logistic.log_prob(x).exp(), slope, rtol=1e-10, atol=1e-12)


def test_tails_against_their_asymptotes(logistic):
    u = torch.tensor(800.0, dtype=torch.float64)
    right, left = logistic.loc + u * logistic.scale, logistic.loc - u * logistic.scale
    torch.testing.assert_close(logistic.log_survival(right), -u.expand(3), rtol=1e-12, atol=0)
    torch.testing.assert_close(logistic.log_cdf(left), -u.expand(3), rtol=1e-12, atol=0)
    torch.testing.assert_close(logistic.log_prob(right), -u - logistic.log_scale, rtol=1e-12, atol=0)
    torch.testing.assert_close(logistic.log_prob(left), -u - logistic.log_scale, rtol=1e-12, atol=0)


def test_quantile_inverts_the_cdf(logistic):
    probability = torch.tensor([[1e-12], [0.2], [0.5], [0.99]], dtype=torch.float64)
    torch.testing.assert_close(
        logistic.cdf(logistic.icdf(probability)), probability.expand(4, 3), rtol=1e-9, atol=0
    )


def test_entropy_mean_and_stddev_against_integrals(logistic):
    u = torch.linspace(-60, 60, 240_001, dtype=torch.float64)
    x = logistic.loc + u[:, None] * logistic.scale
    log_prob = logistic.log_prob(x)
    weight = log_prob.exp() * (u[1] - u[0]) * logistic.scale
    torch.testing.assert_close(logistic.entropy(), -(weight * log_prob).sum(0), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(logistic.mean, (weight * x).sum(0), rtol=1e-9, atol=1e-9)
    variance = (weight * (x - logistic.mean) ** 2).sum(0)
    torch.testing.assert_close(logistic.stddev, variance.sqrt(), rtol=1e-9, atol=1e-9)


def test_samples_follow_it_and_carry_gradients():
    torch.manual_seed(0)
    loc = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    log_scale = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
    logistic = Logistic(loc, log_scale)
    x = logistic.rsample((40_000,))
    uniform = logistic.cdf(x).detach().sort().values
    largest_gap = (uniform - torch.arange(1, 40_001, dtype=torch.float64) / 40_000).abs().max()
    assert largest_gap < 1.95 / math.sqrt(40_000)  # Kolmogorov–Smirnov at 0.1 %
    by_loc, by_scale = torch.autograd.grad(x.sum(), (loc, log_scale))
    assert by_loc.item() == pytest.approx(40_000)
    assert by_scale.item() == pytest.approx((x - loc).sum().item())


def test_expand_and_broadcast():
    logistic = Logistic(torch.zeros(3), torch.zeros(2, 1))
    assert logistic.batch_shape == (2, 3) and logistic.event_shape == ()
    assert logistic.expand((4, 2, 3)).rsample((5,)).shape == (5, 4, 2, 3)

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wavegen.errors import UserError
from wavegen.flows import Compose, Flow, Radial, StandardNormal
from wavegen.flows.parameters import positive_slope


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def radial(centre, log_alpha, raw, dtype=torch.float64):
    made = Radial(len(centre)).to(dtype)
    with torch.no_grad():
        made.parameter_source.table.copy_(torch.tensor([*centre, log_alpha, raw]))
    return made


def test_the_formula_written_out():
    x = torch.randn(6, 3, dtype=torch.float64)
    centre = torch.tensor([0.2, -0.1, 0.4], dtype=torch.float64)
    for raw in (-2.0, 0.7, 3.0):
        alpha = math.exp(-0.5)
        beta = alpha * (positive_slope(torch.tensor(raw, dtype=torch.float64)) - 1)
        assert beta > -alpha
        r = (x - centre).norm(dim=-1)
        h = 1 / (alpha + r)
        z, log_det = radial(centre.tolist(), -0.5, raw)(x)
        torch.testing.assert_close(z, x + (beta * h)[:, None] * (x - centre), rtol=1e-6, atol=1e-6)
        expected = 2 * torch.log1p(beta * h) + torch.log(1 + beta * h - beta * r * h**2)
        torch.testing.assert_close(log_det, expected, rtol=1e-6, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    features=st.integers(1, 5),
    lead=st.lists(st.integers(1, 3), max_size=3),
    log_alpha=st.integers(-5, 5),
    raw=st.integers(-50, 50),
    size=st.sampled_from([1e-6, 1.0, 1e4]),
)
def test_round_trip_near_and_far(features, lead, log_alpha, raw, size):
    torch.manual_seed(1)
    bijection = radial([0.0] * features, log_alpha, raw)
    x = size * torch.randn(*lead, features, dtype=torch.float64)
    z, log_det = bijection(x)
    returned, inverse_log_det = bijection.inverse(z)
    torch.testing.assert_close(returned, x, rtol=1e-9, atol=1e-12 * size)
    torch.testing.assert_close(inverse_log_det, -log_det, rtol=1e-8, atol=1e-8)
    assert log_det.shape == tuple(lead)


def test_the_centre_stays_and_has_gradients():
    bijection = radial([0.5, -0.5], 0.3, 1.0)
    x = torch.tensor([[0.5, -0.5]], dtype=torch.float64, requires_grad=True)
    for direction in (bijection.forward, bijection.inverse):
        result, log_det = direction(x)
        torch.testing.assert_close(result, x)
        gradients = torch.autograd.grad(result.sum() + log_det.sum(), [x, *bijection.parameters()])
        assert all(gradient.isfinite().all() for gradient in gradients)


def test_extreme_parameters_leave_it_invertible_in_float32():
    x = torch.linspace(-2, 2, 401)[:, None].repeat(1, 2)
    for raw in (-1e4, 1e4):
        bijection = radial([0.1, 0.1], 0.0, raw, torch.float32)
        z, log_det = bijection(x)
        assert (z[:, 0].diff() > 0).all() and log_det.isfinite().all()
        assert (bijection.inverse(z)[0] - x).abs().max() < 1e-3


def test_zero_is_the_identity():
    x = torch.randn(4, 3, dtype=torch.float64)
    z, log_det = radial([1.0, 0.0, 2.0], 0.7, 0.0)(x)
    torch.testing.assert_close(z, x)
    torch.testing.assert_close(log_det, torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("inverted", [False, True])
def test_density_integrates_to_one(inverted):
    bijection = Compose(*[Radial(2, parameters=nn.Linear(1, Radial.count_parameters(2))) for _ in range(3)])
    flow = Flow(bijection=bijection.inv if inverted else bijection, base=StandardNormal((2,))).double()
    axis = torch.linspace(-12, 12, 601, dtype=torch.float64)
    with torch.no_grad():
        context = torch.randn(1, 1, dtype=torch.float64)
        log_prob = flow(context).log_prob(torch.cartesian_prod(axis, axis)[:, None])
    assert abs((log_prob.exp().sum() * (axis[1] - axis[0]) ** 2).item() - 1) < 1e-3


def test_errors_say_what_was_expected():
    with pytest.raises(UserError, match=r"Radial: expected events of 3 features, got shape \(2, 4\)"):
        Radial(3)(torch.zeros(2, 4))
    with pytest.raises(UserError, match=r"parameters of shape \(5,\) or \(2, 5\), got \(2, 6\)"):
        Radial(3, parameters=nn.Linear(2, 6)).inverse(torch.zeros(2, 3), torch.zeros(2, 2))

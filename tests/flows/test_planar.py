import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wavegen.flows import Compose, Flow, Planar, StandardNormal
from wavegen.flows.parameters import SMALLEST_SLOPE


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class Fixed(nn.Module):
    def __init__(self, values):
        super().__init__()
        self.register_buffer("values", torch.as_tensor(values, dtype=torch.float64))

    def forward(self, context=None):
        return self.values


def test_the_formula_written_out():
    u, w, b = torch.tensor([0.7, -2.0]), torch.tensor([1.5, 0.4]), -0.3
    planar = Planar(2, parameters=Fixed([*u.tolist(), *w.tolist(), b]))
    x = torch.randn(5, 2, dtype=torch.float64)
    inner = 0.7 * 1.5 - 2.0 * 0.4
    slope = 1e-3 + math.log1p(math.exp(inner + math.log(math.expm1(0.999))))
    u_hat = u.double() + (slope - 1 - inner) * w.double() / (1.5**2 + 0.4**2)
    activation = x @ w.double() + b
    z, log_det = planar(x)
    torch.testing.assert_close(z, x + u_hat * torch.tanh(activation)[:, None], atol=1e-6, rtol=1e-6)
    expected = torch.log(1 + (1 - torch.tanh(activation) ** 2) * (slope - 1))
    torch.testing.assert_close(log_det, expected, atol=1e-6, rtol=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    features=st.integers(1, 5),
    lead=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    scale=st.sampled_from([0.1, 1.0, 10.0]),
    amortised=st.booleans(),
)
def test_round_trip_at_any_scale(features, lead, scale, amortised):
    torch.manual_seed(1)
    source = nn.Linear(2, Planar.count_parameters(features)) if amortised else None
    planar = Planar(features, parameters=source).double()
    for parameter in planar.parameters():
        nn.init.normal_(parameter, std=scale)
    x = scale * torch.randn(*lead, features, dtype=torch.float64)
    context = torch.randn(lead[0], 2, dtype=torch.float64) if amortised else None
    z, log_det = planar(x, context)
    returned, inverse_log_det = planar.inverse(z, context)
    condition = 1 + scale**4 / SMALLEST_SLOPE
    assert (returned - x).abs().max() < 1e-14 * condition * (1 + x.abs().max() + z.abs().max())
    assert log_det.shape == tuple(lead) and inverse_log_det.isfinite().all()


def test_extreme_parameters_leave_it_invertible_in_float32():
    # wᵀu far below −1: the map folds nothing, its slope stops at the floor
    planar = Planar(2, parameters=Fixed([-300.0, 0.0, 2.0, 0.0, 0.1])).float()
    x = torch.linspace(-3, 3, 601)[:, None].repeat(1, 2)
    z, log_det = planar(x)
    assert (z[:, 0].diff() > 0).all() and log_det.isfinite().all() and log_det.min() >= math.log(9e-4)
    assert (planar.inverse(z)[0] - x).abs().max() < 1e-3


def test_zero_is_the_identity_with_finite_gradients():
    planar = Planar(3)
    nn.init.zeros_(planar.parameter_source.table)
    x = torch.randn(4, 3, requires_grad=True)
    z, log_det = planar(x)
    torch.testing.assert_close(z, x)
    torch.testing.assert_close(log_det, torch.zeros(4), rtol=0, atol=1e-6)
    (z.sum() + log_det.sum() + planar.inverse(x)[0].square().sum()).backward()
    assert x.grad.isfinite().all() and planar.parameter_source.table.grad.isfinite().all()
    # û stays bounded where w goes to zero
    tiny = Planar(2, parameters=Fixed([1.0, 1.0, 1e-12, 1e-12, 3.0]))
    assert (tiny(x[:, :2].double())[0] - x[:, :2]).abs().max() < 3


def test_every_member_of_an_amortised_batch_has_its_own_map():
    net = nn.Linear(2, Planar.count_parameters(3)).double()
    planar = Planar(3, parameters=net)
    context, x = torch.randn(4, 2, dtype=torch.float64), torch.randn(4, 5, 3, dtype=torch.float64)
    z, log_det = planar(x, context)
    for i in range(4):
        alone = Planar(3, parameters=Fixed(net(context[i]).detach()))
        torch.testing.assert_close(alone(x[i])[0], z[i])
        torch.testing.assert_close(alone(x[i])[1], log_det[i])


def test_density_at_arbitrary_points_integrates_to_one():
    bijection = Compose(*[Planar(2) for _ in range(3)]).inv
    for parameter in bijection.parameters():
        nn.init.normal_(parameter)
    flow = Flow(bijection=bijection, base=StandardNormal((2,))).double()
    axis = torch.linspace(-15, 15, 601, dtype=torch.float64)
    with torch.no_grad():
        log_prob = flow().log_prob(torch.cartesian_prod(axis, axis))
        x, joint = flow().rsample_and_log_prob((50,))
        torch.testing.assert_close(flow().log_prob(x), joint, rtol=1e-8, atol=1e-8)
    assert abs((log_prob.exp().sum() * (axis[1] - axis[0]) ** 2).item() - 1) < 1e-3


def test_autocast_does_not_narrow():
    planar = Planar(4, parameters=nn.Linear(2, Planar.count_parameters(4)))
    x, context = torch.randn(3, 4), torch.randn(3, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, log_det = planar(x, context)
        assert z.dtype == log_det.dtype == torch.float32
        torch.testing.assert_close(planar.inverse(z, context)[0], x, rtol=1e-4, atol=1e-4)

import math

import pytest
import torch

from wavegen.distributions.normal import DiscretizedNormal, Normal, log_normal_interval

STEP = 2.0**-15
GRID = (torch.arange(65_536, dtype=torch.float64) - 32_768) * STEP


def test_agrees_with_torch():
    loc = torch.randn(5, dtype=torch.float64)
    log_scale = torch.randn(5, dtype=torch.float64)
    ours, peer = Normal(loc, log_scale), torch.distributions.Normal(loc, log_scale.exp())
    x = torch.randn(7, 5, dtype=torch.float64)
    for name in ("log_prob", "cdf"):
        torch.testing.assert_close(getattr(ours, name)(x), getattr(peer, name)(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours.entropy(), peer.entropy(), rtol=1e-12, atol=1e-12)
    p = torch.rand(7, 5, dtype=torch.float64)
    torch.testing.assert_close(ours.icdf(p), peer.icdf(p), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours.log_cdf(x).exp() + ours.log_survival(x).exp(), torch.ones_like(x))


@pytest.mark.parametrize("log_scale", [-14.0, -9.0, -4.0, 0.0, 3.0])
def test_masses_of_the_grid_sum_to_one(log_scale):
    mass = DiscretizedNormal(torch.tensor(0.31234567, dtype=torch.float64), torch.tensor(log_scale))
    assert abs(torch.logsumexp(mass.log_prob(GRID), 0).item()) < 1e-10


@pytest.mark.parametrize("u", [0.0, 0.3, -2.0, 7.0, -40.0, 300.0])
@pytest.mark.parametrize("half_width", [1e-6, 1e-3, 0.1, 0.4999, 0.5001, 3.0])
def test_interval_against_fine_quadrature_of_the_density(u, half_width):
    # composite midpoint rule in the logarithm, relative to the nearer edge
    t = (torch.arange(400_000, dtype=torch.float64) + 0.5) / 400_000 * 2 * half_width - half_width
    log_density = -0.5 * (u + t) ** 2 - 0.5 * math.log(2 * math.pi)
    expected = torch.logsumexp(log_density, 0) + math.log(2 * half_width / 400_000)
    point, half = torch.tensor(u, dtype=torch.float64), torch.tensor(half_width, dtype=torch.float64)
    found = log_normal_interval(point, half, torch.log(2 * half))
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("u", [0.0, 0.5, -3.0, 20.0, -100.0])
@pytest.mark.parametrize("half_width", [1e-4, 1e-2, 0.3, 0.49, 0.51, 2.0])
def test_float32_interval_agrees_with_float64(u, half_width):
    single_u, single_half = torch.tensor(u), torch.tensor(half_width)
    double_u, double_half = single_u.double(), single_half.double()
    found = log_normal_interval(single_u, single_half, torch.log(2 * single_half)).double()
    expected = log_normal_interval(double_u, double_half, torch.log(2 * double_half))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_scale", [-16.0, -9.0, -3.0, 2.0])
@pytest.mark.parametrize("distance_in_scales", [0.0, 1.0, 50.0, 5000.0])
@pytest.mark.parametrize("value", [-1.0, 0.25, 1.0 - STEP])
def test_finite_gradients_everywhere(dtype, log_scale, distance_in_scales, value):
    for side in (-1, 1):
        loc = torch.tensor(
            value + side * distance_in_scales * math.exp(log_scale), dtype=dtype, requires_grad=True
        )
        scale = torch.tensor(log_scale, dtype=dtype, requires_grad=True)
        x = torch.tensor(value, dtype=dtype, requires_grad=True)
        log_mass = DiscretizedNormal(loc, scale).log_prob(x)
        gradients = torch.autograd.grad(log_mass, (x, loc, scale))
        assert log_mass.isfinite() and all(gradient.isfinite() for gradient in gradients)
        if distance_in_scales == 5000.0 and value == 0.25:
            # half the squared distance, whose pull grows with the distance
            assert gradients[0].item() * side > 1000 * math.exp(-log_scale)


def test_gradients_against_finite_differences():
    loc = torch.tensor([0.1, -0.2, 0.3, 0.99], dtype=torch.float64, requires_grad=True)
    log_scale = torch.tensor([-9.0, -3.0, -11.0, -2.0], dtype=torch.float64, requires_grad=True)
    x = torch.tensor([0.1 + STEP, 0.3, 0.3, 1 - STEP], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda loc, log_scale: DiscretizedNormal(loc, log_scale).log_prob(x),
        (loc, log_scale),
        eps=1e-7,
        atol=1e-4,
    )


def test_mass_is_density_times_step_where_bins_are_narrow():
    mass = DiscretizedNormal(torch.tensor(0.0, dtype=torch.float64), torch.tensor(-3.0))
    x = torch.round(torch.tensor([0.0, 0.05, 0.2], dtype=torch.float64) / STEP) * STEP
    difference = mass.log_prob(x) - mass.continuous.log_prob(x) - math.log(STEP)
    width = STEP * math.exp(3.0)
    # the second derivative of the density, (u² − 1) φ, times width² / 24
    expected = ((x * math.exp(3.0)) ** 2 - 1) * width**2 / 24
    torch.testing.assert_close(difference, expected, rtol=1e-3, atol=1e-12)


def test_samples_lie_on_the_grid_and_depend_on_the_uniforms_only():
    mass = DiscretizedNormal(torch.tensor([0.0, 0.9]), torch.tensor([-9.0, 0.0]))
    u = torch.rand(100, 2)
    x = mass.sample_from_uniforms(u, u)
    assert torch.equal(x, mass.sample_from_uniforms(None, u))
    assert torch.equal(x / STEP, (x / STEP).round()) and x.max() <= 1 - STEP and x.min() >= -1
    assert torch.equal(
        mass.sample_from_uniforms(u, u, temperature=0.0),
        mass.to_grid(torch.tensor([0.0, 0.9])).expand(100, 2),
    )
    assert mass.sample((4,)).shape == (4, 2) and mass.expand((3, 2)).batch_shape == (3, 2)

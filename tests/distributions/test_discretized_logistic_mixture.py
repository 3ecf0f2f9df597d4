import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture

STEP = 2.0**-15
GRID = (torch.arange(65_536, dtype=torch.float64) - 32_768) * STEP


def random_parameters(shape=(), num_components=3, mean_log_scale=-4.0, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits, loc, spread = torch.randn(3, *shape, num_components, generator=generator, dtype=dtype).unbind()
    return logits, 0.3 * loc, spread + mean_log_scale


@pytest.mark.parametrize("mean_log_scale", [-14.0, -9.0, -4.0, 0.0, 3.0])
def test_masses_of_the_grid_sum_to_one(mean_log_scale):
    mass = DiscretizedLogisticMixture(*random_parameters(mean_log_scale=mean_log_scale))
    assert abs(torch.logsumexp(mass.log_prob(GRID), 0).item()) < 1e-10


def test_open_edge_bins_own_the_tails():
    logits, loc, log_scale = random_parameters(mean_log_scale=-1.0)
    mass = DiscretizedLogisticMixture(logits, loc, log_scale)
    top, bottom = GRID[-1], GRID[0]
    continuous = mass.continuous
    torch.testing.assert_close(
        mass.log_prob(top), continuous.log_survival(top - STEP / 2), rtol=1e-12, atol=1e-12
    )
    torch.testing.assert_close(
        mass.log_prob(bottom), continuous.log_cdf(bottom + STEP / 2), rtol=1e-12, atol=1e-12
    )
    inner = continuous.cdf(top - STEP / 2) - continuous.cdf(top - 1.5 * STEP)
    torch.testing.assert_close(mass.log_prob(top - STEP).exp(), inner, rtol=1e-8, atol=0)


@pytest.mark.parametrize("mean_log_scale", [-12.0, -9.0, -6.0])
def test_agrees_with_a_numerical_integral_of_the_density(mean_log_scale):
    mass = DiscretizedLogisticMixture(*random_parameters(mean_log_scale=mean_log_scale))
    nearest = torch.round(mass.mean / STEP) * STEP
    values = nearest + STEP * torch.arange(-30, 31, dtype=torch.float64)
    offset = (torch.arange(4_000, dtype=torch.float64) + 0.5) / 4_000 - 0.5
    density = mass.continuous.log_prob(values[:, None] + STEP * offset).exp()
    torch.testing.assert_close(mass.log_prob(values).exp(), density.mean(-1) * STEP, rtol=1e-4, atol=1e-300)


@settings(deadline=None, max_examples=25)
@given(
    shape=st.lists(st.integers(1, 4), max_size=3),
    draws=st.lists(st.integers(1, 3), max_size=2),
    num_components=st.integers(1, 5),
    seed=st.integers(0, 100),
)
def test_shapes_broadcast_and_samples_lie_on_the_grid(shape, draws, num_components, seed):
    mass = DiscretizedLogisticMixture(*random_parameters(tuple(shape), num_components, seed=seed))
    x = mass.sample(tuple(draws))
    assert x.shape == (*draws, *shape)
    assert mass.log_prob(x).shape == x.shape
    index = x / STEP
    assert torch.equal(index, index.round()) and (x >= -1).all() and (x <= 1 - STEP).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_scale", [-16.0, -9.0, -3.0, 2.0])
@pytest.mark.parametrize("distance_in_scales", [0.0, 1.0, 50.0, 5000.0])
@pytest.mark.parametrize("value", [-1.0, 0.25, 1.0 - STEP, 1.0])
def test_finite_gradients_everywhere(dtype, log_scale, distance_in_scales, value):
    for side in (-1, 1):
        loc = value + side * distance_in_scales * math.exp(log_scale)
        logits = torch.zeros(2, dtype=dtype, requires_grad=True)
        locs = torch.tensor([loc, loc], dtype=dtype, requires_grad=True)
        log_scales = torch.tensor([log_scale, log_scale], dtype=dtype, requires_grad=True)
        x = torch.tensor(value, dtype=dtype, requires_grad=True)
        log_mass = DiscretizedLogisticMixture(logits, locs, log_scales).log_prob(x)
        gradients = torch.autograd.grad(log_mass, (x, logits, locs, log_scales))
        assert log_mass.isfinite()
        assert all(gradient.isfinite().all() for gradient in gradients)
        if distance_in_scales * math.exp(log_scale) > STEP and distance_in_scales >= 50 and value == 0.25:
            # the log-mass falls by one nat a scale: a far sample is never without a pull
            expected = math.exp(-log_scale) * side
            assert gradients[0].item() == pytest.approx(expected, rel=1e-2)


def test_float32_agrees_with_float64_far_out():
    logits, loc, log_scale = random_parameters((50,), mean_log_scale=-7.0)
    x = torch.linspace(-1, 1 - STEP, 50, dtype=torch.float64)
    x = torch.round(x / STEP) * STEP
    narrow = DiscretizedLogisticMixture(logits.float(), loc.float(), log_scale.float()).log_prob(x.float())
    wide = DiscretizedLogisticMixture(
        logits.float().double(), loc.float().double(), log_scale.float().double()
    ).log_prob(x)
    torch.testing.assert_close(narrow.double(), wide, rtol=1e-5, atol=1e-4)


def test_gradients_against_finite_differences():
    parameters = [p.requires_grad_() for p in random_parameters((3,), 2, mean_log_scale=-9.0)]
    # around the locations, at both ends, and off the grid
    x = parameters[1].detach()[:, 0].clone()
    x[0], x[1] = -1.0, 1 - STEP
    x.requires_grad_()

    def log_mass(x, logits, loc, log_scale):
        return DiscretizedLogisticMixture(logits, loc, log_scale).log_prob(x)

    assert torch.autograd.gradcheck(log_mass, (x, *parameters), eps=1e-8, atol=1e-3, rtol=1e-4)
    assert torch.autograd.gradgradcheck(log_mass, (x, *parameters), eps=1e-8, atol=1.0, rtol=1e-3)


def test_mass_is_density_times_step_where_bins_are_narrow():
    """As docs/mathematics.md states: the error of log mass − log density − log step falls with (step /
    scale)².
    """
    error = []
    for log_scale in (-4.0, -5.0, -6.0, -7.0):
        one = torch.zeros(1, dtype=torch.float64)
        mass = DiscretizedLogisticMixture(one, one, one + log_scale)
        x = torch.round(GRID.new_tensor([0.0, 1.0, 3.0]) * math.exp(log_scale) / STEP) * STEP
        difference = mass.log_prob(x) - mass.continuous.log_prob(x) - math.log(STEP)
        width = STEP / math.exp(log_scale)
        assert (difference.abs() <= width**2 / 24 * (1 + 1e-6) + 1e-12).all()
        error.append(difference[0].abs().item())
    ratio = [following / previous for previous, following in zip(error, error[1:], strict=False)]
    assert ratio == pytest.approx([math.e**2] * 3, rel=1e-2)


def test_eight_bit_grid():
    step = 1.0 / 127.5
    mass = DiscretizedLogisticMixture(*random_parameters(mean_log_scale=-2.0), step=step, low=-1.0, high=1.0)
    pixels = -1.0 + step * torch.arange(256, dtype=torch.float64)
    assert abs(torch.logsumexp(mass.log_prob(pixels), 0).item()) < 1e-12
    x = mass.sample((1000,))
    index = (x + 1) / step
    torch.testing.assert_close(index, index.round(), rtol=0, atol=1e-9)


def test_sample_frequencies_match_masses():
    torch.manual_seed(0)
    one = torch.zeros(1, dtype=torch.float64)
    mass = DiscretizedLogisticMixture(one, one, one - 10.5)
    count = 100_000
    x = mass.sample((count,))
    for k in range(-2, 3):
        expected = mass.log_prob(one.squeeze() + k * STEP).exp().item()
        frequency = (x == k * STEP).double().mean().item()
        assert abs(frequency - expected) < 4 * math.sqrt(expected * (1 - expected) / count)


def test_expand_keeps_the_grid():
    mass = DiscretizedLogisticMixture(*random_parameters((2,)), step=0.1, low=0.0, high=1.0).expand((3, 2))
    assert mass.batch_shape == (3, 2) and (mass.step, mass.low, mass.high) == (0.1, 0.0, 1.0)

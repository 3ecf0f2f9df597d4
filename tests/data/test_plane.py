"""Data sets and energies of the plane: the density integrates to one, and is the samples' own."""

import functools
import math

import pytest
import torch

from wavegen.data.plane import Checkerboard, EightGaussians, Moons, Pinwheel, Rings, TwoSpirals
from wavegen.distributions.energies import TwoCrescents, forked_wave, split_wave, wave
from wavegen.errors import UserError

DENSITIES = {
    "moons": Moons,
    "rings": Rings,
    "pinwheel": Pinwheel,
    "checkerboard": Checkerboard,
    "two_spirals": TwoSpirals,
    "eight_gaussians": EightGaussians,
    "two_crescents": TwoCrescents,
    "wave": functools.partial(wave, 1.0),  # narrower than by default, to fit the board of these tests
    "split_wave": functools.partial(split_wave, 1.0),
    "forked_wave": functools.partial(forked_wave, 1.0),
}
SMOOTH = sorted(set(DENSITIES) - {"checkerboard"})
HALF_WIDTH = 8.0


def board(num_cells):
    """Midpoints of the cells of [−8, 8]² and a cell's area; of smooth densities their sum is the integral."""
    step = 2 * HALF_WIDTH / num_cells
    points = -HALF_WIDTH + step * (torch.arange(num_cells, dtype=torch.float64) + 0.5)
    return torch.cartesian_prod(points, points), step**2


@pytest.mark.parametrize("name", DENSITIES)
def test_the_density_integrates_to_one(name):
    points, area = board(256)
    # 1 / r at the rings' centre is not smooth, though next to nothing lies there
    tolerance = 1e-8 if name == "rings" else 1e-12
    assert abs(float(DENSITIES[name]().log_prob(points).exp().sum()) * area - 1) < tolerance


@pytest.mark.parametrize("name", DENSITIES)
def test_samples_are_of_the_density(name):
    """χ² of the counts in 16 × 16 cells: within five deviations of its mean, where five are expected."""
    density, num_samples = DENSITIES[name](), 40_000
    points, area = board(256)
    mass = (density.log_prob(points).exp() * area).view(16, 16, 16, 16).sum((1, 3))
    x = density.sample(num_samples, torch.Generator().manual_seed(1))
    assert x.shape == (num_samples, 2) and x.dtype == torch.float32
    cells = ((x.double() + HALF_WIDTH) / (2 * HALF_WIDTH) * 16).floor().long().clamp(0, 15)
    counts = torch.bincount(cells[:, 0] * 16 + cells[:, 1], minlength=256).view(16, 16)
    expected = num_samples * mass
    tested = expected >= 5
    chi_square = ((counts - expected).square() / expected)[tested].sum()
    degrees = int(tested.sum()) - 1
    assert degrees > 5
    assert abs(float(chi_square) - degrees) < 5 * math.sqrt(2 * degrees)
    assert int(counts[~tested].sum()) <= float(expected[~tested].sum()) * 2 + 10


@pytest.mark.parametrize("name", DENSITIES)
def test_samples_are_the_generators_function(name):
    density = DENSITIES[name]()
    first, again, other = (density.sample(50, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_those_of_finite_differences(name):
    density = DENSITIES[name]()
    x = density.sample(8).double().requires_grad_()
    assert torch.autograd.gradcheck(density.log_prob, x)


def test_more_quadrature_nodes_change_nothing():
    for density in (Moons(), TwoSpirals()):
        x = 4 - 8 * torch.rand(500, 2, dtype=torch.float64)
        before = density.log_prob(x)
        density.num_nodes *= 2
        torch.testing.assert_close(density.log_prob(x), before, rtol=1e-9, atol=1e-9)


def test_what_is_not_of_the_plane_is_refused():
    with pytest.raises(UserError, match=r"expected points of shape \(\.\.\., 2\), got \(5, 3\)"):
        Moons().log_prob(torch.zeros(5, 3))

"""Energies of the plane; that they integrate to one and are sampled from is in tests/data/test_plane.py."""

import math

import pytest
import torch

from wavegen.distributions.energies import TwoCrescents, Waves, forked_wave, split_wave, wave
from wavegen.errors import UserError


def test_energies_are_the_papers():
    x = torch.randn(50, 2, dtype=torch.float64)
    first, second = x.unbind(-1)
    w1 = torch.sin(2 * math.pi * first / 4)
    w2 = 3 * torch.exp(-0.5 * ((first - 1) / 0.6) ** 2)
    w3 = 3 / (1 + torch.exp(-(first - 1) / 0.3))

    def bell(distance, scale):
        return torch.exp(-0.5 * (distance / scale) ** 2)

    expected = {
        TwoCrescents(): bell(x.norm(dim=-1) - 2, 0.4) * (bell(first - 2, 0.6) + bell(first + 2, 0.6)),
        wave(3.0): bell(second - w1, 0.4) * bell(first, 3),
        split_wave(3.0): (bell(second - w1, 0.35) + bell(second - w1 + w2, 0.35)) * bell(first, 3),
        forked_wave(3.0): (bell(second - w1, 0.4) + bell(second - w1 + w3, 0.35)) * bell(first, 3),
    }
    for density, value in expected.items():
        torch.testing.assert_close(density.log_density(x), value.log(), rtol=1e-10, atol=1e-10)


def test_log_prob_is_the_energy_less_the_normaliser_of_its_strips():
    density = Waves(centres=[torch.sin, torch.cos], scales=[0.1, 0.3], envelope=0.5)
    x = torch.randn(7, 2, dtype=torch.float64)
    first, second = x.unbind(-1)
    normal = torch.distributions.Normal
    shares = [normal(torch.sin(first), 0.1).log_prob(second).exp() / 4]
    shares.append(normal(torch.cos(first), 0.3).log_prob(second).exp() * 3 / 4)
    expected = normal(0, 0.5).log_prob(first) + sum(shares).log()
    torch.testing.assert_close(density.log_prob(x), expected)


def test_nearly_all_draws_lie_within_the_extent():
    for density in (TwoCrescents(), wave(), split_wave(), forked_wave()):
        outside = density.sample(2000).abs().amax(-1) > density.extent
        assert outside.float().mean() < 0.02


def test_what_makes_no_density_of_the_plane_is_refused():
    with pytest.raises(UserError, match="as many scales as centres, 1, got 2"):
        Waves(centres=[torch.sin], scales=[0.1, 0.2])
    for shape in ((5, 3), ()):
        with pytest.raises(UserError, match=r"TwoCrescents: expected points of shape \(\.\.\., 2\)"):
            TwoCrescents().log_prob(torch.zeros(shape))

"""The base of flows that generate speech: as long as the utterance, decided by the generator."""

import math

import pytest
import torch

from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.white_noise import WhiteNoise


@pytest.mark.parametrize(("family", "variance"), [(Normal, 1.0), (Logistic, math.pi**2 / 3)])
def test_noise_is_white_with_the_variance_of_its_family(family, variance):
    noise = WhiteNoise(family, 4).draw((2, 40000), torch.Generator().manual_seed(0)).double()
    assert noise.var().item() == pytest.approx(variance, rel=0.02)
    assert abs((noise[:, 1:] * noise[:, :-1]).mean().item()) < 0.02 * variance


def test_the_seed_decides_it():
    base = WhiteNoise(Normal, 4)
    first, same, other = (base.draw((3, 5), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_the_distribution_covers_the_frames_of_the_context():
    noise = WhiteNoise(Logistic, 4)(SpeechContext(voiced=torch.zeros(2, 6)))
    assert noise.event_shape == (24,)
    zeros = torch.zeros(24)
    torch.testing.assert_close(noise.log_prob(zeros), Logistic(zeros, zeros).log_prob(zeros).sum())

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.distributions.mu_law import MuLawCategorical, mu_law_decode, mu_law_encode
from wavegen.errors import UserError


@settings(deadline=None, max_examples=30)
@given(quantization=st.integers(2, 1024), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_levels_survive_the_round_trip(quantization, dtype):
    level = torch.arange(quantization)
    assert torch.equal(mu_law_encode(mu_law_decode(level, quantization, dtype), quantization), level)


def test_the_waveform_returns_within_half_a_companded_step():
    x = torch.linspace(-1, 1, 20_001, dtype=torch.float64)
    returned = mu_law_decode(mu_law_encode(x), dtype=torch.float64)

    def compand(value):
        return value.sign() * torch.log1p(255 * value.abs()) / math.log(256)

    assert (compand(x) - compand(returned)).abs().max() <= 1 / 255 + 1e-12
    assert (returned.diff() >= 0).all()


def test_values_of_the_definition():
    assert mu_law_encode(torch.tensor([-1.0, 1.0, -3.0, 3.0])).tolist() == [0, 255, 0, 255]
    assert mu_law_decode(torch.tensor([0, 255])).tolist() == [-1.0, 1.0]
    # level 191: y = 2 · 191 / 255 − 1, x = (256^y − 1) / 255
    y = 2 * 191 / 255 - 1
    assert mu_law_decode(torch.tensor(191)).item() == pytest.approx((256**y - 1) / 255, rel=1e-5)


def test_log_prob_is_the_log_softmax_of_the_level():
    logits = torch.randn(3, 256, dtype=torch.float64)
    x = torch.rand(5, 3, dtype=torch.float64) * 2 - 1
    expected = torch.log_softmax(logits, -1)[torch.arange(3), mu_law_encode(x)]
    torch.testing.assert_close(MuLawCategorical(logits).log_prob(x), expected)
    masses = MuLawCategorical(logits).log_prob(MuLawCategorical(logits).grid[:, None])
    torch.testing.assert_close(masses.exp().sum(0), torch.ones(3, dtype=torch.float64))


def test_samples_are_levels_with_their_frequencies():
    torch.manual_seed(0)
    logits = torch.full((16,), -20.0, dtype=torch.float64)
    logits[3], logits[9] = math.log(0.25), math.log(0.75)
    x = MuLawCategorical(logits, 16).sample((20_000,))
    level = mu_law_encode(x, 16)
    assert set(level.tolist()) == {3, 9}
    assert abs((level == 3).double().mean().item() - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 20_000)
    assert x.mean().item() == pytest.approx(MuLawCategorical(logits, 16).mean.item(), abs=5e-3)


def test_temperature_zero_takes_the_heaviest_level():
    logits = torch.randn(4, 256)
    x = MuLawCategorical(logits).sample_from_uniforms(torch.rand(4), None, temperature=0.0)
    assert torch.equal(mu_law_encode(x), logits.argmax(-1))


def test_wrong_number_of_logits_is_refused():
    with pytest.raises(UserError, match="expected 256 per sample, got 255"):
        MuLawCategorical(torch.zeros(2, 255))

"""The power loss knows levels: which way, how much, and where in the spectrum."""

import math
from types import SimpleNamespace

import pytest
import torch

from wavegen.objectives.power import PowerLoss

SAMPLE_RATE = 8000


def loss(data, **options):
    """The distance in units of these recordings."""
    resolutions_ms = [(20, 8), (12, 4)]
    power = PowerLoss(resolutions_ms=resolutions_ms, sample_rate=SAMPLE_RATE, **options)
    power.fit_to_data(list(data))
    return power.distance


@pytest.fixture
def recording():
    """Two harmonics under an envelope, and a breath of noise."""
    t = torch.arange(4000) / SAMPLE_RATE
    tones = torch.sin(2 * math.pi * 150 * t) + 0.5 * torch.sin(2 * math.pi * 300 * t)
    return (0.1 * tones * (1 + torch.sin(2 * math.pi * 3 * t)) + 0.002 * torch.randn(4000)).expand(2, -1)


def test_zero_for_equal_and_positive_for_other_levels(recording):
    power = loss(recording)
    assert power(recording, recording) == 0
    half, double = power(0.5 * recording, recording), power(2 * recording, recording)
    assert 0 < half < double
    assert power(-recording, recording) == pytest.approx(0, abs=1e-6), "magnitudes have no sign"


def test_it_has_no_unit(recording):
    quiet = loss(0.01 * recording)(0.005 * recording, 0.01 * recording)
    torch.testing.assert_close(loss(recording)(0.5 * recording, recording), quiet, rtol=1e-3, atol=0)


@pytest.mark.parametrize("log_weight", [0.0, 0.5])
@pytest.mark.parametrize("gain, sign", [(0.5, -1), (0.9, -1), (1.1, 1), (2.0, 1)])
def test_descent_moves_the_level_towards_the_recordings(recording, gain, sign, log_weight):
    level = torch.tensor(gain, requires_grad=True)
    loss(recording, log_weight=log_weight)(level * recording, recording).backward()
    assert torch.sign(level.grad) == sign


@pytest.mark.parametrize("sample_is_silent", [True, False])
@pytest.mark.parametrize("recording_is_silent", [True, False])
def test_gradient_is_finite_in_digital_silence(recording, sample_is_silent, recording_is_silent):
    sample = recording.roll(7) * (0 if sample_is_silent else 1)
    sample = sample.clone().requires_grad_()
    data = recording * (0 if recording_is_silent else 1)
    value = loss(data)(sample, data)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(sample.grad).all()


def test_a_missing_low_tone_costs_as_much_more_as_its_weight():
    t = torch.arange(8000) / SAMPLE_RATE
    low, high = (torch.sin(2 * math.pi * f * t)[None] for f in (500, 3500))
    for weight in (1.0, 4.0):
        power = loss(low, low_band_hz=2000, low_band_weight=weight, log_weight=0.0)
        ratio = power(high, low + high) / power(low, low + high)
        assert ratio.item() == pytest.approx(weight, rel=0.1)


def test_the_logarithmic_term_hears_what_is_quiet(recording):
    quiet = recording.clone()
    quiet[:, 2000:] = 0.003 * torch.randn(2, 2000)
    louder = quiet.clone()
    louder[:, 2100:] *= 2
    linear, both = (loss(quiet, log_weight=weight)(louder, quiet).item() for weight in (0.0, 0.5))
    assert both > 20 * linear


def test_a_batch_scores_the_mean_of_its_members_however_loud_they_are(recording):
    """In units of the batch, a batch of two quiet segments would weigh many times what it should."""
    power = loss(recording)
    quiet = torch.stack([recording[0], 0.05 * recording[1]])
    sample = torch.stack([0.5 * recording[0], 0.1 * recording[1]])
    alone = [power(one[None], other[None]) for one, other in zip(sample, quiet, strict=True)]
    torch.testing.assert_close(power(sample, quiet), (alone[0] + alone[1]) / 2)
    linear = loss(recording, log_weight=0.0)
    whole, part = linear(0.5 * recording, recording), linear(0.05 * recording, 0.1 * recording)
    torch.testing.assert_close(part, 0.01 * whole, rtol=1e-4, atol=0)


def test_only_scored_samples_count(recording):
    """The past costs nothing, and does not make the mean smaller."""
    power = PowerLoss(resolutions_ms=[(20, 8)], sample_rate=SAMPLE_RATE)
    power.fit_to_data(list(recording))
    mask = torch.zeros(recording.shape, dtype=torch.bool)
    mask[:, 1000:3000] = True
    sample = 0.5 * recording
    step = SimpleNamespace(sample=sample, recording=recording, mask=mask)
    before = power(step).value
    sample[:, 3000:] = 7.0
    sample[:, :1000] = torch.inf
    assert power(step).value == before > 0
    scored = sample[:, 1000:3000], recording[:, 1000:3000]
    torch.testing.assert_close(before, power.distance(*scored))

"""The distance of levels: where its expectation is smallest, beside that of a distance of magnitudes."""

import math
from types import SimpleNamespace

import pytest
import torch

from wavegen.objectives.frame_level import STEEPEST_DB, FrameLevel, itakura_saito
from wavegen.objectives.power import PowerLoss

SAMPLE_RATE = 8000


def level(data, **options):
    term = FrameLevel(sample_rate=SAMPLE_RATE, **options)
    term.fit_to_data(list(data))
    return term


def power(data):
    term = PowerLoss(resolutions_ms=[(40, 10)], sample_rate=SAMPLE_RATE, log_weight=0.0)
    term.fit_to_data(list(data))
    return term


def best_gain(term, sample, recording):
    """The gain of the sample at which the distance is smallest, by halving its derivative's bracket."""
    low, high = -3.0, 3.0
    for _ in range(12):
        middle = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        term.distance(middle.exp() * sample, recording).backward()
        low, high = (low, middle.item()) if middle.grad > 0 else (middle.item(), high)
    return math.exp((low + high) / 2)


def noise(batch, duration_s):
    return 0.1 * torch.randn(batch, round(duration_s * SAMPLE_RATE), dtype=torch.float64)


def test_independent_noises_of_equal_power_are_nearest_at_gain_one():
    """Where a distance of magnitudes makes the sample 2.1 dB too quiet."""
    sample, recording = noise(10, 10.0), noise(10, 10.0)
    assert best_gain(power(recording), sample, recording) == pytest.approx(math.pi / 4, rel=0.01)
    assert best_gain(level(recording), sample, recording) == pytest.approx(1.0, abs=0.03)


def test_an_unforeseeable_loudness_is_met_at_its_mean_power():
    """Loudness that varies by 5.5 dB: a distance of magnitudes answers far below it."""
    loudness_db = 5.5 * torch.randn(400, 1, dtype=torch.float64)
    recording, sample = noise(400, 0.3) * 10 ** (loudness_db / 20), noise(400, 0.3)
    mean_power = (10 ** (loudness_db / 10)).mean().sqrt().item()
    assert best_gain(level(recording), sample, recording) == pytest.approx(mean_power, rel=0.06)
    assert best_gain(power(recording), sample, recording) < 0.75 * mean_power


def test_the_distance_of_two_levels_is_itakura_and_saitos():
    recording = noise(1, 20.0)
    for gain in (0.5, 2.0):
        exact = gain**-2 + 2 * math.log(gain) - 1
        value = level(recording, floor_db=-200.0).distance(gain * recording, recording)
        assert value.item() == pytest.approx(exact, rel=1e-6)
    assert level(recording).distance(recording, recording) == 0


def test_the_distance_is_smooth_and_linear_where_the_sample_is_nearly_silent():
    bound = STEEPEST_DB * math.log(10) / 10
    ratios = torch.tensor([-5.0, 0.0, bound - 1e-9, bound + 1e-9, bound + 1, bound + 2], dtype=torch.float64)
    ratios.requires_grad_()
    values = itakura_saito(ratios)
    values.sum().backward()
    torch.testing.assert_close(ratios.grad, ratios.detach().clamp(max=bound).exp() - 1)
    assert values[0].item() == pytest.approx(math.exp(-5) + 4) and values[1] == 0
    assert (values[5] - values[4]).item() == pytest.approx((values[4] - values[3]).item())


def test_every_band_counts_the_same_in_decibels():
    """Noise that is 30 dB quieter above 2 kHz: a change of either half costs its bands the same."""
    spectrum = torch.fft.rfft(noise(1, 20.0))
    frequency_hz = torch.linspace(0, SAMPLE_RATE / 2, spectrum.shape[-1])
    low, high = (torch.fft.irfft(spectrum * part) for part in (frequency_hz < 2000, frequency_hz >= 2000))
    recording = low + 0.03 * high
    term = level(recording, floor_db=-80.0, num_bands=30)
    lower, upper = (
        term.log_ratio(a * low + 0.03 * b * high, recording).mean((0, -1)) for a, b in ((2, 1), (1, 2))
    )
    assert lower[0].item() == pytest.approx(-math.log(4), rel=0.01) and abs(lower[-1]) < 0.01
    assert upper[-1].item() == pytest.approx(-math.log(4), rel=0.01) and abs(upper[0]) < 0.01


@pytest.mark.parametrize("silent", ["sample", "recording", "both"])
def test_gradient_is_finite_in_digital_silence_and_points_to_the_recording(silent):
    recording = noise(1, 0.5)
    sample = {"sample": 1e-4, "recording": 1.0, "both": 0.0}[silent] * noise(1, 0.5)
    gain = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    target = recording if silent == "sample" else 0 * recording
    level(recording).distance(gain * sample, target).backward()
    assert torch.sign(gain.grad) == {"sample": -1, "recording": 1, "both": 0}[silent]
    assert torch.isfinite(gain.grad)


def test_only_scored_samples_count_and_the_excess_is_logged():
    recording = noise(2, 0.5)
    mask = torch.zeros(recording.shape, dtype=torch.bool)
    mask[:, 1000:3000] = True
    sample = 2 * recording
    term = level(recording, floor_db=-100.0)
    before = term(SimpleNamespace(sample=sample, recording=recording, mask=mask))
    assert before.value == term.distance(sample[:, 1000:3000], recording[:, 1000:3000]) > 0
    assert before.log["excess_level_db"].item() == pytest.approx(20 * math.log10(2), abs=1e-3)
    sample[:, 3000:] = 7.0
    assert term(SimpleNamespace(sample=sample, recording=recording, mask=mask)).value == before.value


def test_powers_keep_their_digits_under_autocast():
    recording, sample = noise(2, 0.5).float(), 1.001 * noise(2, 0.5).float()
    term = level(recording)
    whole = term.log_ratio(sample, recording)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(term.log_ratio(sample, recording), whole)

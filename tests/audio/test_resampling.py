import numpy as np
import pytest
import torch

from wavegen.audio.resampling import resample

RATE = 16000


def tone(duration_s: float, sample_rate: int, frequency_hz: float = 440.0) -> np.ndarray:
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    return (0.3 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


@pytest.mark.parametrize("to_rate", [8000, 22050, 24000, 48000])
def test_a_tone_is_kept(to_rate):
    resampled = resample(tone(0.5, RATE), RATE, to_rate)
    assert resampled.dtype == np.float32
    expected = tone(0.5, to_rate)
    assert len(resampled) == len(expected)
    inner = slice(to_rate // 20, to_rate // 20 * 9)
    np.testing.assert_allclose(resampled[inner], expected[inner], atol=2e-3)


def test_what_the_lower_rate_cannot_hold_is_removed():
    # 5 kHz would be heard at 3 kHz after taking every second sample.
    above = resample(tone(0.5, RATE, frequency_hz=5000.0), RATE, 8000)
    assert np.abs(above[400:-400]).max() < 1e-4


def test_rates_without_a_common_divisor_are_met_closely():
    resampled = resample(tone(0.5, 48001), 48001, RATE)
    assert abs(len(resampled) - RATE // 2) <= 1
    # 3 : 1 instead of 48,001 : 16,000 is 10 µs late after half a second, 0.028 of a radian at 440 Hz.
    np.testing.assert_allclose(resampled[800:7200], tone(0.5, RATE)[800:7200], atol=0.3 * 0.028)


def test_the_same_rate_is_the_identity():
    assert resample(waveform := tone(0.1, RATE), RATE, RATE) is waveform


def test_tensors_are_resampled_with_gradients_over_the_last_dimension():
    generator = torch.Generator().manual_seed(0)
    waveform = torch.randn(2, 3, 120, generator=generator, dtype=torch.float64, requires_grad=True)
    resampled = resample(waveform, RATE, 8000)
    assert resampled.shape == (2, 3, 60)
    assert torch.autograd.gradcheck(
        lambda x: resample(x, RATE, 8000), waveform[:1, :1, :40].detach().requires_grad_()
    )
    assert torch.allclose(resample(waveform[1, 2], RATE, 8000), resampled[1, 2])

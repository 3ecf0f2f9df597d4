import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from wavegen.audio.closures import aligned_closures, polarity, prediction_residual

RATE = 16000


def pulse_train(rng: np.random.Generator, seconds: float, mean_period: int) -> np.ndarray:
    """Sample indices of pulses whose periods vary by 2 %."""
    periods = np.round(mean_period * (1 + 0.02 * rng.standard_normal(int(seconds * RATE / mean_period))))
    return np.cumsum(periods).astype(int)


def vowel(closures: np.ndarray, num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Pulses and noise 30 dB below them through two formants."""
    excitation = 0.003 * rng.standard_normal(num_samples)
    excitation[closures] += 1.0
    for frequency_hz, bandwidth_hz in ((600, 80), (1200, 100)):
        radius = np.exp(-np.pi * bandwidth_hz / RATE)
        excitation = lfilter(
            [1], [1, -2 * radius * np.cos(2 * np.pi * frequency_hz / RATE), radius**2], excitation
        )
    return 0.2 * excitation / np.abs(excitation).max()


@pytest.mark.parametrize("polarity", [1, -1])
@pytest.mark.parametrize("offset_s", [-0.0015, 0.0, 0.0015])
def test_marks_that_drift_are_moved_to_the_closures(polarity, offset_s):
    rng = np.random.default_rng(0)
    closures = pulse_train(rng, 1.0, 100)
    closures = closures[closures < RATE - 200]
    waveform = polarity * vowel(closures, RATE, rng)
    drift_s = offset_s + np.linspace(-0.0005, 0.0005, len(closures))
    aligned = aligned_closures(
        waveform, RATE, (closures + 0.5) / RATE + drift_s, np.full(len(closures), 100 / RATE)
    )
    # The smoothed peak of a pulse may lie a sample beside it.
    np.testing.assert_allclose(aligned, (closures + 0.5) / RATE, atol=1.1 / RATE)


def test_each_voiced_stretch_has_its_own_shift():
    rng = np.random.default_rng(1)
    closures = pulse_train(rng, 1.0, 100)
    closures = closures[(closures < 6000) | ((closures > 9000) & (closures < RATE - 200))]
    waveform = vowel(closures, RATE, rng)
    marks_s = (closures + 0.5) / RATE + np.where(closures < 6000, 0.0018, -0.0018)
    aligned = aligned_closures(waveform, RATE, marks_s, np.full(len(closures), 100 / RATE))
    np.testing.assert_allclose(aligned, (closures + 0.5) / RATE, atol=1.1 / RATE)


def test_no_mark_is_no_closure():
    assert len(aligned_closures(np.zeros(1600), RATE, np.zeros(0), np.zeros(0))) == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_the_polarity_is_the_sign_of_the_pulses(sign):
    rng = np.random.default_rng(3)
    waveforms = [sign * vowel(pulse_train(rng, 0.5, 100)[:70], 8000, rng) for _ in range(3)]
    assert polarity(waveforms, RATE) == sign
    assert polarity([np.zeros(100)], RATE) in (1, -1)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 1000),
    num_samples=st.integers(1, 4000),
    rate=st.sampled_from([8000, 16000, 22050]),
    level=st.sampled_from([0.0, 1e-4, 0.3]),
)
def test_times_ascend_and_move_by_a_third_of_a_period_at_most(seed, num_samples, rate, level):
    rng = np.random.default_rng(seed)
    waveform = level * rng.standard_normal(num_samples)
    marks_s = np.arange(0.001, num_samples / rate, 0.008)
    aligned = aligned_closures(waveform, rate, marks_s, np.full(len(marks_s), 0.008))
    assert aligned.shape == marks_s.shape
    assert np.all(np.diff(aligned) >= 0)
    assert np.all(np.abs(aligned - marks_s) <= 0.35 * 0.008 + 1 / rate)


def test_the_residual_of_an_autoregressive_process_is_its_noise():
    noise = 0.01 * np.random.default_rng(2).standard_normal(RATE)
    residual = prediction_residual(lfilter([1], [1, -1.6, 0.8], noise), RATE)
    assert len(residual) == RATE
    # Windows of 25 ms estimate 18 taps with an error that adds a few per cent of power.
    assert np.corrcoef(residual[1000:-1000], noise[1000:-1000])[0, 1] > 0.93
    assert np.std(residual) < 1.15 * np.std(noise)

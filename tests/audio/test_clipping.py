import numpy as np
import pytest

from wavegen.audio.clipping import clipped_share


def speech_like(seed=0):
    noise = np.random.default_rng(seed).normal(size=16_000)
    return np.convolve(noise, np.hanning(9), "same").astype(np.float32)


def test_what_is_not_clipped_has_none():
    assert clipped_share(speech_like()) < 1e-3
    assert clipped_share(0.9 * np.sin(2 * np.pi * 220 * np.arange(16_000) / 16_000)) < 1e-3
    assert clipped_share(np.zeros(100)) == clipped_share(np.zeros(0)) == clipped_share(np.ones(1)) == 0


@pytest.mark.parametrize("level", [1.0, 0.3])
def test_the_share_of_samples_beyond_the_level(level):
    waveform = speech_like()
    limit = np.quantile(np.abs(waveform), 0.6)
    clipped = level / limit * np.clip(waveform, -limit, limit)
    assert clipped_share(clipped) == pytest.approx(0.4, abs=0.03)


def test_single_samples_at_the_peak_do_not_count():
    assert clipped_share(np.array([0.0, 1, 0, -1, 0, 1, 0])) == 0
    assert clipped_share(np.array([1.0, 1, 0, -1, -1, 0, 1])) == pytest.approx(4 / 7)

"""Global variance against its closed form, the sign, and what must not count."""

import math

import pytest
import torch

from wavegen.errors import UserError
from wavegen.metrics.frames import speech_frames
from wavegen.metrics.global_variance import LOWEST_RATIO, global_variance_db
from wavegen.metrics.spectral import paired_mel_cepstra

RATE = 8000


def moving_noise(depth):
    """Noise whose spectrum tilts up and down four times a second, by ``depth``."""
    time = torch.arange(2 * RATE, dtype=torch.float64) / RATE
    noise = 0.1 * torch.randn(2 * RATE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    tilt = 0.45 * depth * torch.sin(2 * math.pi * 4 * time)
    return noise + tilt * torch.cat([noise[:1] * 0, noise[:-1]])


def test_it_is_the_mean_log_ratio_of_the_variances():
    recording, other = moving_noise(2.0), moving_noise(0.5)
    cepstra = paired_mel_cepstra(recording, other, RATE)
    keep = speech_frames(recording, RATE)
    total = 0.0
    for m in range(1, 25):
        first, second = (c[m][keep].tolist() for c in cepstra)
        variances = [sum((v - sum(x) / len(x)) ** 2 for v in x) / len(x) for x in (first, second)]
        total += 10 * math.log10(variances[1] / variances[0])
    assert global_variance_db(recording, other, RATE) == pytest.approx(total / 24, abs=1e-9)


def test_averaged_speech_is_below_zero_and_lively_speech_above():
    assert global_variance_db(moving_noise(2.0), moving_noise(0.5), RATE) < -0.3
    assert global_variance_db(moving_noise(0.5), moving_noise(2.0), RATE) > 0.3


def test_neither_the_level_nor_a_copy_is_a_change():
    recording = moving_noise(1.0)
    assert global_variance_db(recording, recording.clone(), RATE) == 0.0
    assert global_variance_db(recording, 0.5 * recording, RATE) == pytest.approx(0.0, abs=1e-6)


def test_a_spectrum_that_does_not_move_is_finite():
    assert global_variance_db(moving_noise(1.0), torch.zeros(2 * RATE), RATE) == pytest.approx(
        10 * math.log10(LOWEST_RATIO)
    )


def test_what_cannot_be_compared():
    assert math.isnan(global_variance_db(torch.zeros(RATE), torch.randn(RATE), RATE))
    with pytest.raises(UserError, match="same shape"):
        global_variance_db(torch.zeros(RATE), torch.zeros(RATE + 1), RATE)

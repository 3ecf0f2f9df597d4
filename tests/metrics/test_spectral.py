"""Spectral distances against closed forms, and whether they can tell noise from speech."""

import math

import pytest
import torch

from wavegen.errors import UserError
from wavegen.metrics.spectral import log_spectral_distance_db, mel_cepstra, mel_cepstral_distortion_db

RATE = 16000


def noise(num_samples: int = 8000, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(num_samples, generator=generator, dtype=torch.float64)


def vowel(num_samples: int = 8000, first_formant_hz: float = 700.0) -> torch.Tensor:
    """Harmonics of 110 Hz under two resonances."""
    time = torch.arange(num_samples, dtype=torch.float64) / RATE
    total = torch.zeros_like(time)
    for k in range(1, 60):
        frequency = 110.0 * k
        gain = sum(1 / (1 + ((frequency - f) / 80) ** 2) for f in (first_formant_hz, 1800.0)) + 1e-3
        total += gain * torch.sin(2 * math.pi * frequency * time + k * k)
    return 0.3 * total / total.abs().max()


@pytest.mark.parametrize("gain_db", [-6.0, 3.0, 12.0])
def test_gain_is_its_own_log_spectral_distance(gain_db):
    reference = noise()
    distance = log_spectral_distance_db(reference, reference * 10 ** (gain_db / 20), RATE, floor_db=200.0)
    assert distance == pytest.approx(abs(gain_db), rel=1e-9)


def test_gain_costs_no_mel_cepstral_distortion():
    reference = noise()
    assert mel_cepstral_distortion_db(reference, 0.3 * reference, RATE, floor_db=200.0) < 1e-9
    assert mel_cepstral_distortion_db(reference, noise(seed=1), RATE) > 1.0


def test_cepstral_convention_is_that_of_a_log_magnitude_cosine_series():
    band = torch.arange(40, dtype=torch.float64) + 0.5
    log_mel = (0.7 + 0.4 * torch.cos(math.pi * 3 * band / 40) - 0.2 * torch.cos(math.pi * 9 * band / 40))[
        :, None
    ]
    expected = torch.zeros(25, 1, dtype=torch.float64)
    expected[0], expected[3], expected[9] = 0.7, 0.4, -0.2
    torch.testing.assert_close(mel_cepstra(log_mel), expected, atol=1e-12, rtol=0)


def test_distortion_is_the_rms_decibel_difference_of_a_tilted_mel_spectrum():
    # All 39 coefficients above c_0 together hold the whole difference but its mean (Parseval).
    generator = torch.Generator().manual_seed(2)
    log_mel = torch.randn(40, 5, generator=generator, dtype=torch.float64)
    cepstra = mel_cepstra(log_mel, order=39)[1:]
    distortion_db = 10 / math.log(10) * (2 * cepstra.square().sum(0)).sqrt()
    difference_db = 20 / math.log(10) * (log_mel - log_mel.mean(0))
    torch.testing.assert_close(distortion_db, difference_db.square().mean(0).sqrt())


@pytest.mark.parametrize("metric", [log_spectral_distance_db, mel_cepstral_distortion_db])
def test_noise_is_further_from_a_vowel_than_another_vowel_is(metric):
    reference = vowel()
    white = noise() * reference.std() / noise().std()
    near, far = metric(reference, vowel(first_formant_hz=600.0), RATE), metric(reference, white, RATE)
    assert metric(reference, reference, RATE) == 0.0
    assert 0 < near < far / 2


def test_pauses_can_be_left_out():
    speech, pause = vowel(), torch.zeros(8000, dtype=torch.float64)
    reference = torch.cat([speech, pause])
    estimate = torch.cat([speech, pause + 1e-2 * noise()])
    whole = log_spectral_distance_db(reference, estimate, RATE)
    spoken = log_spectral_distance_db(reference, estimate, RATE, without_pauses=True)
    assert spoken < 0.3 < 3 < whole


def test_an_all_zero_reference_has_no_speech_to_compare():
    zeros = torch.zeros(4000)
    assert math.isnan(mel_cepstral_distortion_db(zeros, 0.1 * noise(4000).float(), RATE))


def test_unequal_lengths_are_refused():
    with pytest.raises(UserError, match="the same shape"):
        log_spectral_distance_db(torch.zeros(100), torch.zeros(101), RATE)
    with pytest.raises(UserError, match="order"):
        mel_cepstra(torch.zeros(20, 3), order=20)

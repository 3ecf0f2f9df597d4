"""Pitch errors on known tracks and on pulse trains; harmonicity of tone, mixture and noise."""

import math

import pytest
import torch

from wavegen.audio.pitch import PraatPitch
from wavegen.errors import UserError
from wavegen.metrics.pitch import f0_rmse_hz, frame_harmonicity_db, harmonicity_db, voicing_error

RATE = 16000


def pulse_train(f0_hz: float, num_samples: int = 16000) -> torch.Tensor:
    """Band-limited pulses: equal harmonics up to 4 kHz."""
    time = torch.arange(num_samples, dtype=torch.float64) / RATE
    harmonics = int(4000 / f0_hz)
    return sum(torch.cos(2 * math.pi * f0_hz * k * time) for k in range(1, harmonics + 1)) / harmonics * 0.5


def test_rmse_counts_only_frames_voiced_in_both():
    reference, estimate = torch.tensor([100.0, 200.0, 100.0, 90.0]), torch.tensor([103.0, 196.0, 500.0, 1.0])
    reference_voiced, estimate_voiced = torch.tensor([1, 1, 1, 0]), torch.tensor([1, 1, 0, 1])
    rmse = f0_rmse_hz(reference, reference_voiced, estimate, estimate_voiced)
    assert rmse == pytest.approx(math.sqrt((9 + 16) / 2))
    assert voicing_error(reference_voiced, estimate_voiced) == 0.5
    assert math.isnan(f0_rmse_hz(reference, torch.zeros(4), estimate, estimate_voiced))
    with pytest.raises(UserError, match="two non-empty tracks"):
        voicing_error(torch.zeros(3), torch.zeros(4))


def test_pulse_trains_ten_hertz_apart_through_the_tracker():
    pitch = PraatPitch()
    tracks = [pitch(pulse_train(f0).numpy(), RATE, 200) for f0 in (100.0, 110.0)]
    (low, high) = tracks
    rmse = f0_rmse_hz(low.f0_hz, low.voiced, high.f0_hz, high.voiced)
    assert rmse == pytest.approx(10.0, abs=0.5)
    assert voicing_error(low.voiced, high.voiced) < 0.05


def test_harmonicity_of_tone_mixture_and_noise():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(RATE, generator=generator, dtype=torch.float64)
    tone = pulse_train(140.0)
    assert harmonicity_db(tone, RATE) > 25
    assert harmonicity_db(noise, RATE) < 0
    # The ratio itself comes back: harmonics 10 dB above the noise.
    mixture = tone + noise * tone.std() / noise.std() * 10 ** (-10 / 20)
    assert harmonicity_db(mixture, RATE) == pytest.approx(10.0, abs=1.0)


def test_harmonicity_is_the_same_at_any_gain_and_finite_in_silence():
    tone = pulse_train(140.0)
    assert harmonicity_db(1e-3 * tone, RATE) == pytest.approx(harmonicity_db(tone, RATE), abs=1e-6)
    frames = frame_harmonicity_db(torch.zeros(RATE), RATE)
    assert frames.shape == (200,) and torch.isfinite(frames).all()


def test_only_marked_frames_count():
    generator = torch.Generator().manual_seed(1)
    signal = torch.cat([pulse_train(140.0, 8000), 0.1 * torch.randn(8000, generator=generator).double()])
    voiced = torch.arange(200) < 100
    assert harmonicity_db(signal, RATE, voiced) > 20
    assert harmonicity_db(signal, RATE, ~voiced) < 0
    assert math.isnan(harmonicity_db(signal, RATE, torch.zeros(200)))


@pytest.mark.parametrize("num_samples", [100, 1000, 5000])
def test_short_signals_give_a_value_a_frame(num_samples):
    assert frame_harmonicity_db(torch.ones(num_samples), RATE).shape == (num_samples // 80,)

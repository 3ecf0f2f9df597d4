"""Griffin-Lim: same length and level, near the original spectrum, seeded."""

import pytest
import torch

from wavegen.audio.griffin_lim import griffin_lim, griffin_lim_from_mel
from wavegen.audio.spectra import stft_magnitude
from wavegen.errors import UserError


def buzz(sample_rate: int = 16000, duration_s: float = 0.4) -> torch.Tensor:
    """Harmonics of a gliding fundamental."""
    time = torch.arange(int(sample_rate * duration_s), dtype=torch.float64) / sample_rate
    phase = 2 * torch.pi * (120 * time + 40 * time.square())
    return sum(torch.sin(k * phase) / k for k in range(1, 15)) * 0.1


def test_magnitudes_come_back():
    analysis = dict(fft_size=512, hop_samples=100, window_samples=400)
    waveform = buzz()
    magnitude = stft_magnitude(waveform, **analysis)
    estimate = griffin_lim(magnitude, waveform.shape[0], **analysis)
    error = (stft_magnitude(estimate, **analysis) - magnitude).norm() / magnitude.norm()
    assert estimate.shape == waveform.shape
    assert error < 0.15


def test_copy_synthesis_keeps_length_and_level_and_follows_its_seed():
    waveform = buzz().float()
    estimate = griffin_lim_from_mel(waveform, 16000, seed=3)
    assert estimate.shape == waveform.shape and estimate.dtype == waveform.dtype
    assert 0.7 < estimate.std() / waveform.std() < 1.2
    assert torch.equal(estimate, griffin_lim_from_mel(waveform, 16000, seed=3))
    assert not torch.equal(estimate, griffin_lim_from_mel(waveform, 16000, seed=4))


def test_wrong_number_of_bins_is_refused():
    with pytest.raises(UserError, match=r"\(257, frames\)"):
        griffin_lim(torch.ones(128, 10), 1000, fft_size=512, hop_samples=100, window_samples=400)

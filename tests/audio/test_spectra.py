"""Spectra: scale, shapes, gradients in silence, mel bands."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.audio.spectra import mel_filterbank, mel_spectrogram, stft_magnitude
from wavegen.errors import UserError


def sine(frequency_hz: float, sample_rate: int = 16000, duration_s: float = 0.5) -> torch.Tensor:
    time = torch.arange(int(sample_rate * duration_s), dtype=torch.float64) / sample_rate
    return torch.sin(2 * math.pi * frequency_hz * time)


@pytest.mark.parametrize("window_samples", [320, 512, 1024])
def test_sine_shows_half_its_amplitude_at_its_bin(window_samples):
    magnitude = stft_magnitude(0.6 * sine(1000), fft_size=1024, hop_samples=80, window_samples=window_samples)
    middle = magnitude[:, magnitude.shape[-1] // 2]
    assert middle.argmax() == 64
    torch.testing.assert_close(middle[64], torch.tensor(0.3, dtype=torch.float64), rtol=1e-6, atol=0)


def test_window_keeps_distant_bins_quiet():
    magnitude = stft_magnitude(sine(1010), fft_size=1024, hop_samples=256, window_samples=1024)
    middle = magnitude[:, magnitude.shape[-1] // 2]
    assert middle[200:].max() < 1e-5  # a rectangular window leaks about 1e-3 here


@settings(deadline=None, max_examples=25)
@given(batch=st.lists(st.integers(1, 3), max_size=3), time=st.integers(1, 700), hop=st.integers(20, 200))
def test_shape_over_any_leading_dimensions(batch, time, hop):
    waveform = torch.zeros(*batch, time)
    magnitude = stft_magnitude(waveform, fft_size=256, hop_samples=hop, window_samples=200)
    assert magnitude.shape == (*batch, 129, 1 + time // hop)


def test_batch_agrees_with_single():
    generator = torch.Generator().manual_seed(0)
    waveform = torch.randn(2, 3, 900, generator=generator, dtype=torch.float64)
    together = stft_magnitude(waveform, fft_size=256, hop_samples=64, window_samples=256)
    alone = stft_magnitude(waveform[1, 2], fft_size=256, hop_samples=64, window_samples=256)
    torch.testing.assert_close(together[1, 2], alone)


def test_gradient_is_finite_in_silence_and_right_elsewhere():
    silence = torch.zeros(1, 800, requires_grad=True)
    magnitude = stft_magnitude(silence, fft_size=512, hop_samples=80, window_samples=320)
    (gradient,) = torch.autograd.grad(magnitude.sum(), silence)
    assert torch.isfinite(gradient).all()

    generator = torch.Generator().manual_seed(1)
    waveform = torch.randn(1, 60, generator=generator, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(
        lambda x: stft_magnitude(x, fft_size=32, hop_samples=8, window_samples=24), (waveform,), atol=1e-6
    )


def test_gradient_of_a_nearly_silent_sample_is_not_blown_up():
    waveform = torch.full((400,), 1e-9, requires_grad=True)
    magnitude = stft_magnitude(waveform, fft_size=128, hop_samples=32, window_samples=128)
    (gradient,) = torch.autograd.grad(magnitude.mean(), waveform)
    assert gradient.abs().max() < 1.0


def test_mel_bands_cover_the_spectrum_and_order_tones():
    filters = mel_filterbank(16000, fft_size=512, num_mels=40)
    assert filters.shape == (40, 257)
    assert (filters.sum(0)[2:-2] > 0).all()
    options = dict(fft_size=512, hop_samples=80, window_samples=400, num_mels=40)
    low, high = (mel_spectrogram(sine(f), 16000, **options).mean(-1).argmax() for f in (300, 3000))
    assert low < high
    loud = mel_spectrogram(2 * sine(300), 16000, **options)
    torch.testing.assert_close(loud, 2 * mel_spectrogram(sine(300), 16000, **options))


def test_bad_arguments_name_what_is_wrong():
    with pytest.raises(UserError, match="window_samples"):
        stft_magnitude(torch.zeros(10), fft_size=8, hop_samples=2, window_samples=9)
    with pytest.raises(UserError, match="at least one sample"):
        stft_magnitude(torch.zeros(2, 0), fft_size=8, hop_samples=2, window_samples=8)

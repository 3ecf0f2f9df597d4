"""The distance of shapes: blind to level, sign and phase, and not to anything else."""

import math
from types import SimpleNamespace

import pytest
import torch

from wavegen.objectives.spectral_shape import SpectralShape

SAMPLE_RATE = 8000


def loss(data, **options):
    """The distance in units of these recordings."""
    shape = SpectralShape(resolutions_ms=[(20, 8), (12, 4)], sample_rate=SAMPLE_RATE, **options)
    shape.fit_to_data(list(data))
    return shape


def vowel(f0_hz, formant_hz, num_samples=4000):
    """Harmonics under one resonance, with phases of their own."""
    t = torch.arange(num_samples, dtype=torch.float64) / SAMPLE_RATE
    frequency_hz = f0_hz * torch.arange(1, int(0.45 * SAMPLE_RATE / f0_hz), dtype=torch.float64)[:, None]
    amplitude = 1 / (1 + ((frequency_hz - formant_hz) / 300).square())
    phase = 2 * math.pi * torch.rand(len(frequency_hz), 1, dtype=torch.float64)
    return 0.05 * (amplitude * torch.sin(2 * math.pi * frequency_hz * t + phase)).sum(0, keepdim=True)


def rotated(waveform, angle):
    """All frequencies shifted by the same phase."""
    spectrum = torch.fft.rfft(waveform)
    return torch.fft.irfft(spectrum * torch.exp(torch.tensor(1j * angle)), n=waveform.shape[-1])


@pytest.fixture
def recording():
    return vowel(120, 800) + 0.002 * torch.randn(1, 4000, dtype=torch.float64)


@pytest.fixture
def sample():
    return vowel(150, 1500) + 0.01 * torch.randn(1, 4000, dtype=torch.float64)


@pytest.mark.parametrize("gain", [0.01, 0.5, 3.0])
def test_it_is_blind_to_gain(recording, sample, gain):
    shape = loss(recording)
    torch.testing.assert_close(
        shape.distance(gain * sample, recording), shape.distance(sample, recording), rtol=1e-4, atol=0
    )
    level = torch.tensor(gain, dtype=torch.float64, requires_grad=True)
    shape.distance(level * sample, recording).backward()
    held = (gain * sample).requires_grad_()
    shape.distance(held, recording).backward()
    assert abs(level.grad * gain) < 1e-4 * held.grad.norm() * held.norm(), "no pull along the level"


def test_it_is_blind_to_a_gain_that_changes_slowly(recording, sample):
    t = torch.arange(4000, dtype=torch.float64) / SAMPLE_RATE
    gain = torch.exp(0.7 * torch.sin(2 * math.pi * 2 * t))
    shape, whole = loss(recording), loss(recording, log_weight=0.0)
    for distance in (shape.distance, whole.distance):
        torch.testing.assert_close(
            distance(gain * sample, recording), distance(sample, recording), rtol=0.02, atol=0
        )
        assert distance(gain * recording, recording) < 0.02 * distance(sample, recording)


@pytest.mark.parametrize("angle", [0.0, 0.5 * math.pi, math.pi])
def test_it_is_blind_to_sign_and_phase(recording, sample, angle):
    """But for the edges of the excerpt, which a rotated phase wraps around."""
    shape = loss(recording)
    other = shape.distance(rotated(sample, angle), recording)
    torch.testing.assert_close(other, shape.distance(sample, recording), rtol=0.02, atol=0)
    assert shape.distance(-recording, recording) == pytest.approx(0, abs=1e-12)


def test_descent_moves_the_spectrum_towards_the_recording(recording, sample):
    """Along a line from the sample to the recording."""
    shape = loss(recording)
    assert shape.distance(recording, recording) == 0
    near, far = (sample + share * (recording - sample) for share in (0.9, 0.3))
    assert 0 < shape.distance(near, recording) < shape.distance(far, recording)
    share = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    shape.distance(sample + share * (recording - sample), recording).backward()
    assert share.grad < 0


def test_pauses_count_by_their_level():
    """A frame at the half-weight level counts half of a loud one, digital silence nothing."""
    noise, other = 0.1 * torch.randn(2, 1, 8000, dtype=torch.float64)
    shape = loss(noise, half_weight_db=-20.0)
    loud = shape.distance(other, noise)
    assert loud > 0.1
    half, quiet = (shape.distance(other, gain * noise) / loud for gain in (0.1, 0.01))
    assert half.item() == pytest.approx(0.5, abs=0.02) and quiet.item() == pytest.approx(0.01, abs=0.003)
    assert shape.distance(other, 0 * noise) < 1e-6


@pytest.mark.parametrize("silent", ["sample", "recording", "both"])
def test_gradient_is_finite_in_digital_silence(recording, sample, silent):
    shape = loss(recording)
    sample = (0 * sample if silent != "recording" else sample).requires_grad_()
    value = shape.distance(sample, recording if silent == "sample" else 0 * recording)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(sample.grad).all()


def test_only_scored_samples_count(recording, sample):
    shape = loss(recording)
    mask = torch.zeros(recording.shape, dtype=torch.bool)
    mask[:, 1000:3000] = True
    before = shape(SimpleNamespace(sample=sample, recording=recording, mask=mask)).value
    assert before == shape.distance(sample[:, 1000:3000], recording[:, 1000:3000]) > 0
    sample[:, 3000:] = 7.0
    assert shape(SimpleNamespace(sample=sample, recording=recording, mask=mask)).value == before

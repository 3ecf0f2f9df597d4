"""Resolutions last as long at every sample rate, and are in units of a corpus."""

import math

import pytest
import torch

from wavegen.audio.spectra import stft_magnitude
from wavegen.errors import UserError
from wavegen.objectives.short_time import CorpusSpectra, stft_size

SAMPLE_RATE = 8000


def test_the_unit_is_the_recordings_rms_magnitude():
    recording = torch.randn(4000)
    spectra = CorpusSpectra(resolutions_ms=[(20, 8)], sample_rate=SAMPLE_RATE)
    spectra.fit_to_data([recording, 3 * recording])
    size = {"fft_size": 256, "hop_samples": 64, "window_samples": 160}
    squares = stft_magnitude(recording, **size).square().mean() * (1 + 9) / 2
    torch.testing.assert_close(spectra.units, squares.sqrt()[None])
    assert not spectra.state_dict(), "it belongs to the corpus, not to what is trained"


def test_each_resolution_gives_its_unit_and_the_magnitudes_of_every_waveform():
    one, other = torch.randn(2, 3, 4000, dtype=torch.float64)
    spectra = CorpusSpectra(resolutions_ms=[(20, 8), (12, 4)], sample_rate=SAMPLE_RATE)
    spectra.fit_to_data(list(one))
    for index, (unit, first, second) in enumerate(spectra(one, other)):
        assert unit == spectra.units[index]
        assert torch.equal(first, stft_magnitude(one, **spectra.sizes[index]))
        assert torch.equal(second, stft_magnitude(other, **spectra.sizes[index]))
    assert index == 1


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 24000])
def test_windows_last_as_long_at_every_sample_rate(sample_rate):
    size = stft_size(40, 10, sample_rate)
    assert size["window_samples"] == pytest.approx(0.04 * sample_rate, abs=0.5)
    assert size["hop_samples"] == pytest.approx(0.01 * sample_rate, abs=0.5)
    assert size["window_samples"] < size["fft_size"] <= 2 * size["window_samples"]
    assert math.log2(size["fft_size"]).is_integer()


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(UserError, match="less than a sample at 8000 Hz"):
        CorpusSpectra(resolutions_ms=[(40, 0.05)], sample_rate=SAMPLE_RATE)
    with pytest.raises(UserError, match="has no reference level"):
        list(CorpusSpectra(resolutions_ms=[(40, 10)], sample_rate=SAMPLE_RATE)(torch.randn(800)))

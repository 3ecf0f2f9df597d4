"""The paper's power loss: its formula by an independent STFT, its unit, and where it is smallest."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.signal
import torch

from wavegen.errors import UserError
from wavegen.objectives.paper_power import PaperPowerLoss

SAMPLE_RATE = 8000


def loss(data, **options):
    term = PaperPowerLoss(sample_rate=SAMPLE_RATE, **options)
    term.fit_to_data(list(data))
    return term


def noise(*shape):
    return 0.1 * torch.randn(*shape, dtype=torch.float64)


def test_it_is_the_papers_distance_in_units_of_the_corpus():
    """By scipy's short-time spectrum, whose frames are those of zero-padded ends."""
    sample, recording = noise(2, 3200), noise(2, 3200) * torch.tensor([[1.0], [0.5]])

    def phi(waveform):
        *_, spectrum = scipy.signal.stft(
            waveform, window="hann", nperseg=320, noverlap=240, nfft=512, boundary="zeros", padded=False
        )
        return (np.abs(spectrum) ** 2).mean(-1)

    corpus = np.mean([phi(row) for row in recording.numpy()], axis=0)
    distances = [((phi(one) - phi(other)) ** 2).sum() for one, other in zip(sample, recording, strict=True)]
    expected = np.mean(distances) / (corpus**2).sum()
    assert loss(recording).distance(sample, recording).item() == pytest.approx(expected, rel=1e-6)


def test_silence_in_place_of_an_average_segment_costs_one_at_any_level():
    recording = noise(1, 8000)
    for level in (1.0, 1e-3):
        quiet = level * recording
        assert loss(quiet).distance(0 * quiet, quiet).item() == pytest.approx(1, rel=1e-5)
        assert loss(quiet).distance(quiet, quiet) == 0
        twice = loss(quiet).distance(math.sqrt(2) * quiet, quiet)
        assert twice.item() == pytest.approx(1, rel=1e-5), "twice the power is as far as none"


@pytest.mark.parametrize("gain, sign", [(0.5, -1), (0.95, -1), (1.05, 1), (2.0, 1)])
def test_descent_moves_the_level_to_the_recordings_whatever_the_phases(gain, sign):
    sample, recording = noise(8, 16000), noise(8, 16000)
    level = torch.tensor(gain, dtype=torch.float64, requires_grad=True)
    loss(recording).distance(level * sample, recording).backward()
    assert torch.sign(level.grad) == sign


def test_the_order_in_time_does_not_matter_the_band_does():
    recording = noise(1, 16000)
    recording[:, :8000] *= 0.1
    term = loss(recording)
    assert term.distance(recording.flip(-1), recording) < 1e-6
    t = torch.arange(16000, dtype=torch.float64) / SAMPLE_RATE
    low, high = (0.1 * torch.sin(2 * math.pi * f * t)[None] for f in (500.0, 1500.0))
    assert loss(low).distance(high, low).item() == pytest.approx(2, rel=0.05)


def test_gradient_is_finite_in_digital_silence():
    recording, sample = noise(1, 800), torch.zeros(1, 800, requires_grad=True)
    value = loss(recording).distance(sample, recording)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(sample.grad).all()
    assert loss(0 * recording).distance(0 * recording, 0 * recording) == 0


def test_only_scored_samples_count():
    sample, recording = noise(2, 2, 4000)
    mask = torch.zeros(recording.shape, dtype=torch.bool)
    mask[:, 1000:3000] = True
    term = loss(recording)
    before = term(SimpleNamespace(sample=sample, recording=recording, mask=mask)).value
    assert before == term.distance(sample[:, 1000:3000], recording[:, 1000:3000]) > 0
    sample[:, :1000] = 7.0
    assert term(SimpleNamespace(sample=sample, recording=recording, mask=mask)).value == before


def test_without_a_corpus_it_is_refused():
    with pytest.raises(UserError, match="has no reference level"):
        PaperPowerLoss(sample_rate=SAMPLE_RATE).distance(noise(1, 800), noise(1, 800))


@pytest.mark.parametrize("recordings_lie_there", [True, False])
def test_it_is_fitted_and_computed_on_another_device(device, recordings_lie_there):
    recordings, sample = [noise(8000), noise(4000)], noise(1, 4000)
    expected = loss(recordings).distance(sample, recordings[1][None])
    where = device if recordings_lie_there else "cpu"
    own = PaperPowerLoss(sample_rate=SAMPLE_RATE).to(device)
    own.fit_to_data([recording.to(where) for recording in recordings])
    found = own.distance(sample.to(device), recordings[1][None].to(device))
    assert found.device == device
    torch.testing.assert_close(found.cpu(), expected)

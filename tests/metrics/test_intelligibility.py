"""Extended STOI: the recording is 1, noise about 0, and what lies between is in order."""

import math

import numpy as np
import pytest
import torch

from wavegen.errors import UserError
from wavegen.metrics.intelligibility import extended_stoi

RATE = 16000


def babble(seconds=2.0, seed=0):
    """Noise in four bands whose levels rise and fall independently, a few times per second."""
    generator = torch.Generator().manual_seed(seed)
    time_s = torch.arange(round(seconds * RATE)) / RATE
    total = torch.zeros_like(time_s)
    for centre_hz in (300.0, 900.0, 1800.0, 3000.0):
        envelope = torch.rand(round(8 * seconds) + 1, generator=generator)
        level = torch.nn.functional.interpolate(
            envelope[None, None], size=len(time_s), mode="linear", align_corners=True
        )[0, 0]
        tone = torch.cos(2 * math.pi * centre_hz * time_s + 0.7 * torch.randn(1, generator=generator))
        total = total + 0.1 * level.square() * tone
    return total


def noise(like, seed=1):
    return 0.1 * torch.randn(len(like), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("gain", [1.0, 0.1, -3.0])
def test_the_recording_itself_has_one_at_any_level(gain):
    recording = babble()
    assert extended_stoi(recording, gain * recording, RATE) == pytest.approx(1.0, abs=1e-6)


def test_noise_has_about_zero_and_a_mixture_lies_between():
    recording = babble()
    values = [extended_stoi(recording, recording + a * noise(recording), RATE) for a in (0.02, 0.2, 1.0)]
    assert values[0] > values[1] > values[2]
    assert abs(extended_stoi(recording, noise(recording), RATE)) < 0.1


def test_another_sentence_has_less_than_the_same_in_noise():
    recording = babble()
    same = extended_stoi(recording, recording + 0.05 * noise(recording), RATE)
    assert extended_stoi(recording, babble(seed=5), RATE) < same


@pytest.mark.parametrize("samples", [100, 1000, 5000])
def test_what_is_shorter_than_a_segment_has_no_value(samples):
    recording = babble()[:samples]
    assert math.isnan(extended_stoi(recording, recording, RATE))


def test_silence_has_no_value():
    assert math.isnan(extended_stoi(torch.zeros(RATE), torch.zeros(RATE), RATE))


def test_other_lengths_are_refused():
    with pytest.raises(UserError, match=r"one length, got \(10,\) and \(11,\)"):
        extended_stoi(torch.zeros(10), torch.zeros(11), RATE)


def test_the_value_is_the_same_again_where_bands_are_digitally_silent_and_draws_are_left_alone():
    recording = babble()
    quiet = recording.clone()
    quiet[RATE // 2 :] = 0.0
    np.random.seed(7)
    first = extended_stoi(recording, quiet, RATE)
    drawn = np.random.rand()
    assert first == extended_stoi(recording, quiet, RATE)
    np.random.seed(7)
    assert drawn == np.random.rand()

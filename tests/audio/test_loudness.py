"""Loudness: the level of a tone, where it begins, and silence."""

import numpy as np
import pytest

from wavegen.audio.loudness import FLOOR_DB, loudness_db


@pytest.mark.parametrize("sample_rate", [8000, 16000, 24000, 48000])
def test_a_tone_has_its_level(sample_rate):
    tone = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(sample_rate) / sample_rate)
    found = loudness_db(tone, sample_rate, 200)
    assert found[10:-10] == pytest.approx(-20 - 10 * np.log10(2), abs=0.05)


def test_silence_has_the_floor():
    assert loudness_db(np.zeros(1600), 16000, 20).tolist() == [FLOOR_DB] * 20


def test_a_step_is_half_way_where_it_is():
    """Half of the window's weight lies on each side of a frame's centre."""
    waveform = np.concatenate([np.zeros(840), np.full(760, 0.5)])  # the step is the centre of frame 10
    found = loudness_db(waveform, 16000, 20)
    assert found[10] == pytest.approx(10 * np.log10(0.125), abs=0.05)
    assert found[7] < -70 and found[13] == pytest.approx(10 * np.log10(0.25), abs=0.01)


def test_ten_times_the_amplitude_is_twenty_db_more():
    noise = 0.05 * np.random.default_rng(0).standard_normal(3200)
    difference = loudness_db(10 * noise, 16000, 40) - loudness_db(noise, 16000, 40)
    assert difference == pytest.approx(20, abs=0.01)


def test_frames_beyond_the_recording_are_those_of_its_end():
    waveform = 0.1 * np.ones(800)
    found = loudness_db(waveform, 16000, 14)
    assert len(found) == 14 and np.isfinite(found).all()

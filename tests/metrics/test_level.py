import math

import pytest
import torch

from wavegen.errors import UserError
from wavegen.metrics.level import level_dbfs, level_difference_db, level_rms


def test_level_overall_and_in_marked_frames():
    waveform = torch.cat([torch.full((8000,), 0.5), torch.zeros(8000)])
    assert level_rms(waveform) == pytest.approx(0.5 / math.sqrt(2))
    assert level_rms(waveform, torch.arange(200) < 100) == pytest.approx(0.5)
    assert level_rms(waveform, torch.arange(200) >= 100) == 0.0
    assert math.isnan(level_rms(waveform, torch.zeros(200)))
    with pytest.raises(UserError, match="one frame"):
        level_rms(torch.zeros(10), torch.zeros(11))


def test_frames_spread_evenly_and_the_rest_behind_them_does_not_count():
    waveform = torch.tensor([3.0, 3, 0, 0, 4, 4, 100])  # three frames of two samples, and one over
    assert level_rms(waveform, torch.tensor([1, 0, 1])) == pytest.approx(math.sqrt(12.5))
    assert level_rms(waveform, torch.tensor([False, True, False])) == 0.0


def test_the_level_is_taken_in_float64():
    assert level_rms(torch.full((100_000,), 1e-30)) == pytest.approx(1e-30)
    assert math.isnan(level_rms(torch.zeros(0)))


def test_decibels_are_twenty_times_the_logarithm_and_end_at_one_step_of_sixteen_bits():
    assert level_dbfs(torch.full((100,), 0.1)) == pytest.approx(-20)
    assert level_dbfs(torch.tensor([1.0, 0.0]), torch.tensor([True, False])) == 0
    assert level_dbfs(torch.zeros(100)) == pytest.approx(-90.309, abs=1e-3)
    assert math.isnan(level_dbfs(torch.ones(4), torch.zeros(4)))


def test_what_is_too_quiet_is_below_zero():
    recording = torch.randn(1000, dtype=torch.float64) * 0.1
    assert level_difference_db(recording, recording / 2) == pytest.approx(-20 * math.log10(2))
    assert level_difference_db(recording, 10 * recording) == pytest.approx(20)
    first = torch.arange(100) < 50
    louder = recording.clone()
    louder[500:] *= 4
    assert level_difference_db(recording, louder, first) == pytest.approx(0, abs=1e-9)
    assert math.isfinite(level_difference_db(recording, torch.zeros(1000)))

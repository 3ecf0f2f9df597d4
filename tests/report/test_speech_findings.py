"""Verdicts follow the numbers, and nothing is said of what was not measured."""

import pytest

from wavegen.report.speech_findings import findings

GOOD = {
    "teacher/bits_per_sample": 9.0,
    "linear_predictor/bits_per_sample": 11.5,
    "teacher/shuffled_gap_bits": 0.4,
    "teacher/shuffled_gap_bits_low": 0.3,
    "teacher/shuffled_gap_bits_high": 0.5,
    "student/kl_nats_per_sample": 0.6,
    "student/log_spectral_distance_db": 9.0,
    "teacher/log_spectral_distance_db": 8.0,
    "white_noise/log_spectral_distance_db": 30.0,
    "student/level_rms_voiced": 0.08,
    "recording/level_rms_voiced": 0.1,
    "student/harmonicity_db": 5.0,
    "recording/harmonicity_db": 8.0,
    "student/samples_per_second": 64000.0,
    "teacher_cached/samples_per_second": 640.0,
}


def test_a_good_voice_is_told_so():
    verdicts = [finding.verdict for finding in findings(GOOD, 16000)]
    assert verdicts == ["good", "good", "plain", "good", "good", "plain"]
    assert "4 times real time, 100 times as fast" in findings(GOOD, 16000)[-1].text


@pytest.mark.parametrize(
    ("changed", "position"),
    [
        ({"teacher/bits_per_sample": 12.0}, 0),
        ({"teacher/shuffled_gap_bits_low": -0.1}, 1),
        ({"student/log_spectral_distance_db": 25.0}, 3),
        ({"student/level_rms_voiced": 0.01}, 4),
        ({"student/level_rms_voiced": 0.06}, 4),
        ({"student/level_rms_voiced": 0.15}, 4),
        ({"student/harmonicity_db": -6.0}, 4),
    ],
)
def test_each_failure_is_named(changed, position):
    verdicts = [finding.verdict for finding in findings(GOOD | changed, 16000)]
    assert verdicts[position] == "bad" and verdicts.count("bad") == 1


def test_nothing_measured_nothing_said():
    assert findings({}, 16000) == []
    assert findings({key: None for key in GOOD}, 16000) == []

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
    "student/phone_accuracy_relative": 0.9,
    "shuffled/phone_accuracy_relative": 0.1,
    "student/sentence_choice": 1.0,
    "recording/sentence_choice": 1.0,
    "teacher/voiced_level_db": -2.0,
    "teacher/harmonicity_db": 4.0,
    "teacher/voicing_error": 0.05,
    "student/voiced_level_db": -1.9,
    "student/voicing_error": 0.03,
    "student/harmonicity_db": 5.0,
    "recording/harmonicity_db": 8.0,
    "student/samples_per_second": 64000.0,
    "teacher_cached/samples_per_second": 640.0,
}


def test_a_good_voice_is_told_so():
    verdicts = [finding.verdict for finding in findings(GOOD, 16000)]
    assert verdicts == ["good", "good", "good", "plain", "good", "good", "good", "plain"]
    assert not any("Next:" in finding.text for finding in findings(GOOD, 16000))
    assert "4 times real time, 100 times as fast" in findings(GOOD, 16000)[-1].text


@pytest.mark.parametrize(
    ("changed", "position"),
    [
        ({"teacher/bits_per_sample": 12.0}, 0),
        ({"teacher/shuffled_gap_bits_low": -0.1}, 1),
        ({"teacher/harmonicity_db": -4.3, "teacher/voicing_error": 0.78}, 2),
        ({"teacher/voiced_level_db": -5.0}, 2),
        ({"teacher/voicing_error": 0.3}, 2),
        ({"student/log_spectral_distance_db": 25.0}, 4),
        ({"student/phone_accuracy_relative": 0.5}, 5),
        ({"student/voiced_level_db": -20.0}, 6),
        ({"student/voiced_level_db": -4.4}, 6),
        ({"student/voiced_level_db": 3.5}, 6),
        ({"student/harmonicity_db": -6.0}, 6),
        ({"student/voicing_error": 0.5}, 6),
    ],
)
def test_each_failure_is_named_with_the_next_step(changed, position):
    found = findings(GOOD | changed, 16000)
    verdicts = [finding.verdict for finding in found]
    assert verdicts[position] == "bad" and verdicts.count("bad") == 1
    assert ". Next: " in found[position].text and found[position].text.endswith(".")


def test_nothing_measured_nothing_said():
    assert findings({}, 16000) == []
    assert findings({key: None for key in GOOD}, 16000) == []


def test_the_sign_of_a_level_is_said_in_words():
    def text(level_db):
        return findings({"student/voiced_level_db": level_db}, 16000)[0].text

    assert "1.9 dB below the recording" in text(-1.9) and "1.9 dB above the recording" in text(1.9)


def test_student_and_teacher_are_compared_on_the_same_speech():
    """The student is near the teacher on the teacher's utterances, whatever it is on all."""
    beside = {"student_beside_teacher/log_spectral_distance_db": 8.5}
    changed = GOOD | beside | {"student/log_spectral_distance_db": 25.0}
    finding = findings(changed, 16000)[4]
    assert finding.verdict == "good" and "8.5 dB" in finding.text and "25" not in finding.text

import time

import pytest

from wavegen.benchmark.first_audio import fresh_processes, time_to_first_audio
from wavegen.benchmark.precisions import of_student
from wavegen.engines.precision import PRECISIONS


def test_first_sound_of_both_models(small_config):
    records = time_to_first_audio(small_config, 1)
    student = [("student, first block", precision) for precision in of_student()]
    teacher = [("teacher, first 20 ms", precision) for precision in PRECISIONS]
    assert [(r["subject"], r["precision"]) for r in records] == student + teacher
    for record in records:
        assert record["lowest"] <= record["milliseconds"] <= record["highest"]
    assert [record["samples"] for record in records][-2:] == [16, 16]  # 20 ms of 800 Hz


@pytest.mark.slow
def test_new_processes_say_what_they_spent(small_config):
    found = fresh_processes(small_config, 1)
    assert list(found) == ["compiling", "loading"]
    for records in found.values():
        subjects = [record["subject"] for record in records]
        assert subjects == ["student, first block"] * len(of_student()) + ["teacher, first 20 ms"] * 2
        assert all(record["build_s"] > 0 and record["first_sound_s"] > 0 for record in records)


def test_new_processes_are_not_waited_for_beyond_the_deadline(small_config):
    assert fresh_processes(small_config, 1, time.monotonic() + 0.01) == {}

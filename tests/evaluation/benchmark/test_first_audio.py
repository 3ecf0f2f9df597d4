import pytest

from wavegen.evaluation.benchmark.first_audio import fresh_processes, time_to_first_audio


def test_first_sound_of_both_models(small_config):
    records = time_to_first_audio(small_config, 1)
    assert [(r["subject"], r["precision"]) for r in records] == [
        (subject, precision)
        for subject in ("student, first block", "teacher, first 20 ms")
        for precision in ("float32", "bfloat16")
    ]
    for record in records:
        assert record["lowest"] <= record["milliseconds"] <= record["highest"]
    assert [record["samples"] for record in records][2:] == [16, 16]  # 20 ms of 800 Hz


@pytest.mark.slow
def test_new_processes_say_what_they_spent(small_config):
    found = fresh_processes(small_config, 1)
    assert list(found) == ["compiling", "loading"]
    for records in found.values():
        subjects = [record["subject"] for record in records]
        assert subjects == ["student, first block"] * 2 + ["teacher, first 20 ms"] * 2
        assert all(record["build_s"] > 0 and record["first_sound_s"] > 0 for record in records)

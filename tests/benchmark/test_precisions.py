"""What is left out, by what the CPU multiplies."""

import pytest

from wavegen.benchmark import precisions
from wavegen.benchmark.first_audio import first_sounds
from wavegen.benchmark.machine import machine_peak
from wavegen.benchmark.speakers import student_subjects, teacher_subjects
from wavegen.benchmark.training_steps import training_subjects

BOTH, ONE = ("float32", "bfloat16"), ("float32",)


@pytest.fixture
def cpu(monkeypatch):
    """``cpu(torch, student)``: one whose torch and whose student's engine have bfloat16 products, or not."""

    def imitate(torch, student):
        monkeypatch.setattr(precisions, "multiplies_bfloat16", lambda: torch)
        monkeypatch.setattr(precisions, "student_multiplies_bfloat16", lambda: student)

    return imitate


def found(subjects):
    return {(subject.labels["subject"], subject.labels["precision"]) for subject in subjects}


@pytest.mark.parametrize("torch", [True, False])
@pytest.mark.parametrize("student", [True, False])
def test_nothing_is_tried_that_the_cpu_would_do_by_a_reference_loop(cpu, small_config, torch, student):
    cpu(torch, student)
    small_config["sample_rate"] = 8000
    of_torch, of_student = (BOTH if has else ONE for has in (torch, student))
    assert tuple(machine_peak([16], 1, repeats=1, duration_s=0.0)) == of_torch
    assert {precision for _, precision in found(training_subjects(small_config, 1))} == set(of_torch)
    wanted = {("student, one pass of conv1d", precision) for precision in of_torch}
    wanted |= {("student, engine", precision) for precision in of_student}
    assert found(student_subjects(small_config, 1)) == wanted
    engine = {pair for pair in found(teacher_subjects(small_config, 1)) if pair[0] == "teacher, engine"}
    assert engine == {("teacher, engine", precision) for precision in BOTH}
    first = [precision for title, precision in first_sounds(small_config, 1) if "student" in title]
    assert tuple(first) == of_student
    lacks = precisions.left_out()
    assert set(lacks) == (set() if torch else {"peak", "training", "rates"}) | (
        set() if student else {"rates", "first_audio"}
    )
    assert all("bfloat16: " in reason for reasons in lacks.values() for reason in reasons)
    assert len(lacks.get("rates", ())) == (not torch) + (not student)

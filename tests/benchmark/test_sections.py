"""Sections in their order: which entries each gives, what is told on the way, and what is refused."""

import copy
import math

import pytest
import torch

from wavegen.benchmark import sections
from wavegen.benchmark.nets import make_student, make_teacher
from wavegen.benchmark.operations import student_operations, wavenet_operations
from wavegen.benchmark.peer import MISSING
from wavegen.benchmark.sections import ENTRIES, SECONDS, SECTIONS, chosen_sections, measure
from wavegen.benchmark.timing import Subject
from wavegen.errors import UserError

ALWAYS = {"machine", "settings", "notes", "left_out"}


@pytest.fixture
def config(small_config):
    extra = {"threads": 1, "max_minutes": None, "matrix_sizes": [16, 32], "fresh_processes": False}
    before = torch.get_num_threads()
    yield small_config | extra
    torch.set_num_threads(before)


def subject(name, **more):
    labels = {"subject": name, "precision": "float32", "batch_size": 1, **more}
    return Subject(labels, lambda size: None, 1)


@pytest.fixture
def quick(monkeypatch):
    """Subjects that do nothing in place of nets that speak and train; what they are is theirs to test."""
    monkeypatch.setattr(sections, "teacher_subjects", lambda *_: [subject("teacher, engine")])
    monkeypatch.setattr(sections, "student_subjects", lambda *_: [subject("student, engine")])
    monkeypatch.setattr(sections, "training_subjects", lambda *_: [subject("training step")])
    monkeypatch.setattr(sections, "peer_subjects", lambda *_: [subject("peer")])


def test_every_section_has_its_entries_and_every_entry_its_time():
    assert set(ENTRIES) == set(SECTIONS) and set().union(*ENTRIES.values()) == set(SECONDS)
    assert all(seconds > 0 for seconds in SECONDS.values())


def test_all_sections_or_those_asked_for_in_their_own_order():
    assert chosen_sections(None) == SECTIONS
    assert chosen_sections(["length", "machine", "length"]) == ("machine", "length")


@pytest.mark.parametrize(
    ("only", "got"), [([], "none"), (["teachers"], "teachers"), (["machine", "a", "b"], "a, b")]
)
def test_sections_that_there_are_not_are_named(only, got):
    with pytest.raises(UserError) as raised:
        chosen_sections(only)
    assert str(raised.value) == f"only: expected some of {', '.join(SECTIONS)}, got {got}"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"threads": 0}, "threads: expected at least 1 or null, got 0"),
        ({"max_minutes": 0}, "max_minutes: expected more than 0 or null, got 0"),
        ({"max_minutes": -1.5}, "max_minutes: expected more than 0 or null, got -1.5"),
    ],
)
def test_no_threads_and_no_time_are_refused_before_anything_runs(config, changed, said):
    told = []
    with pytest.raises(UserError, match=said):
        measure(config | changed, ["machine"], told.append)
    assert told == []


@pytest.mark.parametrize(
    ("section", "found"),
    [
        ("machine", {"peak"}),
        ("teacher", {"rates", "peak_beside_student", "operations_per_sample"}),
        ("student", {"peak", "rates", "peak_beside_student", "operations_per_sample"}),
        ("training", {"training"}),
    ],
)
def test_a_section_gives_its_entries_and_no_others(config, quick, section, found):
    results = measure(config, [section])
    assert set(results) == ALWAYS | found
    assert results["settings"] == config and results["notes"] == []
    assert results["machine"]["threads"] == 1


def test_lengths_and_shapes_and_first_sounds_are_those_of_their_modules(config, monkeypatch):
    monkeypatch.setattr(sections, "against_shape", lambda *_: ["shapes"])
    monkeypatch.setattr(sections, "teacher_against_length", lambda *_: "teacher's")
    monkeypatch.setattr(
        sections, "student_against_length", lambda *_: {"memory": "used", "length": "student's"}
    )
    monkeypatch.setattr(sections, "time_to_first_audio", lambda *_: "warm")
    monkeypatch.setattr(sections, "fresh_processes", lambda *_: "fresh")
    results = measure(config, ["first_audio", "shape", "length"])
    assert results["first_audio"] == {"warm": "warm"}
    assert results["shape"] == ["shapes"] and results["memory"] == "used"
    assert (results["teacher_length"], results["student_length"]) == ("teacher's", "student's")
    results = measure(config | {"fresh_processes": True}, ["first_audio"])
    assert results["first_audio"] == {"warm": "warm", "fresh_process": "fresh"}


def test_what_is_compared_takes_turns_and_products_are_told_apart(config, quick, monkeypatch):
    rounds = []
    whole = sections.interleaved

    def interleaved(subjects, **options):
        rounds.append([one.labels.get("subject") for one in subjects])
        return whole(subjects, **options)

    monkeypatch.setattr(sections, "find_peer", lambda: object())
    monkeypatch.setattr(sections, "interleaved", interleaved)
    results = measure(config, ["teacher", "student", "peer"])
    (names,) = rounds
    assert names[-3:] == ["peer", "teacher, engine", "student, engine"] and len(names) > 3
    assert [record["subject"] for record in results["rates"]] == names[-3:]
    beside = results["peak_beside_student"]
    assert len(beside) == len(names) - 3 and all("matrix_size" in record for record in beside)
    for record in beside:  # in the size that was the fastest alone
        alone = [one for one in results["peak"] if one["precision"] == record["precision"]]
        fastest = max(alone, key=lambda one: one["operations_per_second"])
        assert record["matrix_size"] == fastest["matrix_size"]


def test_a_peer_that_is_not_installed_is_noted_and_nothing_else(config, quick, monkeypatch):
    monkeypatch.setattr(sections, "find_peer", lambda: None)
    results = measure(config, ["peer"])
    assert results["notes"] == [MISSING] and set(results) == ALWAYS


def test_operations_are_those_of_the_nets_that_speak(config, quick):
    found = measure(config, ["teacher"])["operations_per_sample"]
    teacher = make_teacher(config["teacher"], config["conditioning"], seed=0)
    student = make_student(config["student"], config["conditioning"], seed=0)
    assert found == {
        "teacher": wavenet_operations(teacher.conditioner),
        "student": student_operations(student),
    }


def test_what_was_found_so_far_is_told_each_time_there_is_more(config, quick):
    told = []
    results = measure(config, ["machine", "training"], lambda found: told.append(set(copy.copy(found))))
    assert told == [ALWAYS, ALWAYS | {"peak"}, ALWAYS | {"peak", "training"}]
    assert set(results) == told[-1]


def test_time_is_shared_among_the_entries_of_the_chosen_sections(config, quick, monkeypatch):
    budgets = []

    class Budget(sections.Budget):
        def __init__(self, seconds, weights):
            budgets.append((seconds, dict(weights)))
            super().__init__(seconds, weights)

    monkeypatch.setattr(sections, "Budget", Budget)
    measure(config, ["training"])
    measure(config | {"max_minutes": 10}, ["machine", "training"])
    assert budgets[0] == (math.inf, {"training": SECONDS["training"]})
    seconds, weights = budgets[1]
    assert seconds == pytest.approx(600 * sections.MARGIN)
    assert weights == {"peak": SECONDS["peak"], "training": SECONDS["training"]}


def test_torch_is_given_the_threads(config, quick, monkeypatch):
    measure(config | {"threads": 2}, ["training"])
    assert torch.get_num_threads() == 2
    monkeypatch.setattr(sections, "available_cores", lambda: 1)
    assert measure(config | {"threads": None}, ["training"])["machine"]["threads"] == 1

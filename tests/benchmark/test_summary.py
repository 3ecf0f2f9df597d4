import pytest

from wavegen.benchmark.peer import PEER
from wavegen.benchmark.summary import (
    fastest,
    gpu_rows,
    headlines,
    peer_rate,
    select,
    student_share_of_peak,
)


def record(subject, rate, precision="float32", batch_size=1, **more):
    labels = {"subject": subject, "precision": precision, "batch_size": batch_size}
    return {**labels, "samples_per_second": rate, **more}


@pytest.fixture
def results():
    return {
        "settings": {"batch_size": 16},
        "rates": [
            record(PEER, 200.0, threads=1),
            record(PEER, 100.0, threads=2),
            record(PEER, 1000.0, batch_size=16, threads=1),
            record("teacher, uncached", 5.0),
            record("teacher, engine", 10_000.0),
            record("teacher, engine", 20_000.0, "bfloat16"),
            record("teacher, engine", 40_000.0, "bfloat16", 16),
            record("student, one pass of conv1d", 25_000.0),
            record("student, engine", 50_000.0),
            record("student, engine", 100_000.0, "bfloat16"),
        ],
        "operations_per_sample": {"student": 1e6},
        "peak_beside_student": [{"precision": "float32", "operations_per_second": 1e11}],
        "training": [
            record("distillation step", 100.0, form="plain"),
            record("distillation step", 150.0, "bfloat16", form="wavegen, bfloat16"),
        ],
        "first_audio": {
            "warm": [
                {"subject": "student, first block", "precision": "float32", "milliseconds": 30.0},
                {"subject": "student, first block", "precision": "bfloat16", "milliseconds": 20.0},
                {"subject": "teacher, first 20 ms", "precision": "float32", "milliseconds": 500.0},
            ]
        },
        "student_length": {"largest_relative_residual": 0.03},
        "memory": {"peak_mb": 512.0},
    }


def test_headlines_follow_from_the_records(results):
    measured = [row["measured"] for row in headlines(results)]
    expected = [50.0, 100.0, 40.0, 50.0, 4.0, 20_000.0, 5.0, 1.5, 3.0, 30.0, 512.0]
    assert measured == pytest.approx(expected)


def test_what_was_not_measured_stays_empty(results):
    rows = headlines({"settings": results["settings"]})
    assert len(rows) == 11 and {row["measured"] for row in rows} == {None}
    del results["peak_beside_student"]
    assert student_share_of_peak(results, "float32") is None
    assert {row["measured"] for row in gpu_rows().values()} == {None}


def test_the_peer_speaks_on_the_threads_that_suit_it(results):
    assert peer_rate(results, 1) == 200.0
    assert fastest(results["rates"], subject="teacher, engine", precision="float32") == 10_000.0
    assert fastest(results["rates"], subject="nobody") is None
    assert select(results["rates"], batch_size=16, precision="bfloat16")[0]["samples_per_second"] == 40_000.0

import time

import pytest

from wavegen.benchmark.scaling import (
    TRIAL_S,
    against_shape,
    fit_line,
    in_time,
    teacher_against_length,
)


def test_a_line_is_found_again():
    fit = fit_line([1, 2, 10, 600], [0.5 + 0.25 * x for x in (1, 2, 10, 600)])
    assert fit["seconds_at_0"] == pytest.approx(0.5)
    assert fit["seconds_per_s"] == pytest.approx(0.25)
    assert fit["largest_relative_residual"] == pytest.approx(0, abs=1e-9)


def test_what_is_not_linear_leaves_a_residual():
    """1, 2, 4 seconds at 1, 2, 3: the best line makes (a+b−1)² + (a/2+b−1)² + (a/4+3b/4−1)² stationary."""
    fit = fit_line([1, 2, 3], [1, 2, 4])
    a, b = fit["seconds_at_0"], fit["seconds_per_s"]
    gradient_a = (a + b - 1) + (a / 2 + b - 1) / 2 + (a / 4 + 3 * b / 4 - 1) / 4
    gradient_b = (a + b - 1) + (a / 2 + b - 1) + 3 * (a / 4 + 3 * b / 4 - 1) / 4
    assert gradient_a == pytest.approx(0, abs=1e-12) and gradient_b == pytest.approx(0, abs=1e-12)
    residuals = [abs(a + b * x - y) / y for x, y in ((1, 1), (2, 2), (3, 4))]
    assert fit["largest_relative_residual"] == pytest.approx(max(residuals)) and max(residuals) > 0.05


def test_teacher_lengths(small_config):
    found = teacher_against_length(small_config, 1)
    assert [stream["length_s"] for stream in found["streams"]] == [0.1, 0.2, 0.4]
    assert all(len(stream["seconds"]) == 1 and stream["seconds"][0] > 0 for stream in found["streams"])
    assert found["largest_relative_residual"] >= 0


def test_lengths_are_shortened_alike_to_what_there_is_time_for():
    assert in_time([1, 2], [3, 1], 0.5, 100.0) == 1.0
    assert in_time([1, 2], [3, 1], 0.5, 1.0) == pytest.approx(0.4)  # 2.5 s otherwise
    assert in_time([1, 2], [3, 1], 0.5, -1.0) == 0.0


def test_teacher_lengths_at_the_deadline(small_config):
    found = teacher_against_length(small_config, 1, deadline=time.monotonic())
    assert [stream["length_s"] for stream in found["streams"]] == [TRIAL_S / 10]


def test_depths_and_widths_change_one_thing_at_a_time(small_config):
    records = against_shape(small_config, 1)
    assert [record.get("layers", record.get("channels")) for record in records] == [
        2,
        2,
        12,
        12,
        16,
        16,
        32,
        32,
    ]
    by = {(r["subject"], r.get("layers"), r.get("channels")): r["operations_per_sample"] for r in records}
    small, large = by["student, engine", 2, None], by["student, engine", 12, None]
    assert large == 6 * small + 2 * (16 + 16 * 16 + 16 * 2) * (2 - 6)  # flows of 10 and 2: twice the ends
    assert by["teacher, engine", None, 32] > 3 * by["teacher, engine", None, 16]

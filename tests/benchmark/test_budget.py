import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavegen.benchmark import budget
from wavegen.benchmark.budget import Budget, longest_call_s

SECONDS = st.floats(0.001, 1000.0, allow_subnormal=False)


@given(st.lists(SECONDS, min_size=1, max_size=20), SECONDS)
def test_calls_with_a_cap_take_the_time_that_there_is(wanted_s, total_s):
    cap_s = longest_call_s(wanted_s, total_s)
    if math.isinf(cap_s):
        assert sum(wanted_s) <= total_s * (1 + 1e-9)
    else:
        assert sum(min(seconds, cap_s) for seconds in wanted_s) == pytest.approx(total_s)


def test_no_time_caps_everything():
    assert longest_call_s([1.0, 2.0], -3.0) == 0.0
    assert longest_call_s([1.0, 2.0, 9.0], 6.0) == 3.0
    assert longest_call_s([], 1.0) == math.inf


def test_what_a_part_leaves_goes_to_the_next(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(budget.time, "monotonic", lambda: now[0])
    shared = Budget(60.0, {"a": 1, "b": 2, "c": 3})
    assert shared.deadline("a") == 110.0
    now[0] = 105.0  # sooner than it had to be
    assert shared.deadline("b") == pytest.approx(105.0 + 55.0 * 2 / 5)
    now[0] = 150.0  # later
    assert shared.deadline("c") == 160.0
    now[0] = 170.0
    assert Budget(math.inf, {"a": 1}).deadline("a") == math.inf


def test_no_time_is_left_beyond_the_end(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(budget.time, "monotonic", lambda: now[0])
    shared = Budget(10.0, {"a": 1, "b": 1})
    now[0] = 20.0
    assert shared.deadline("b") == 20.0

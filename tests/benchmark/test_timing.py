import math
import statistics
import time
import warnings
from types import SimpleNamespace

import pytest
import torch

from wavegen.benchmark import timing
from wavegen.benchmark.timing import Subject, interleaved, torch_threads
from wavegen.errors import UserError


def sleeper(name, calls, **options):
    """Takes a millisecond a unit and remembers its sizes."""

    def run(size):
        calls.append((name, size))
        time.sleep(1e-3 * size)

    return Subject({"subject": name}, run, torch.get_num_threads(), **options)


def test_every_subject_runs_once_a_round():
    calls = []
    subjects = [sleeper(name, calls) for name in "abc"]
    measured = interleaved(subjects, repeats=4, duration_s=0.0, title="rounds")
    assert [m.labels["subject"] for m in measured] == ["a", "b", "c"]
    assert [len(m.rates) for m in measured] == [4, 4, 4]
    rounds = [name for name, _ in calls[-12:]]
    assert [sorted(rounds[i : i + 3]) for i in range(0, 12, 3)] == [["a", "b", "c"]] * 4
    assert len({tuple(rounds[i : i + 3]) for i in range(0, 12, 3)}) > 1, "always in the same order"


def test_sizes_grow_until_a_call_takes_its_time():
    calls = []
    subjects = [sleeper("free", calls, granule=7), sleeper("bounded", calls, granule=7, largest=14)]
    free, bounded = interleaved(subjects, repeats=1, duration_s=0.05, title="sizes")
    # A sleep is never too short; the slower the machine, the smaller the size that takes long enough.
    assert free.size % 7 == 0 and 7 <= free.size <= 70
    assert bounded.size <= 14
    sizes = [size for name, size in calls if name == "free"]
    assert sizes == sorted(sizes) and sizes[-1] == free.size


def test_rates_count_items():
    def run(size):
        time.sleep(0.01 * size)

    subject = Subject({"subject": "batch"}, run, torch.get_num_threads(), items=1000)
    (measurement,) = interleaved([subject], repeats=3, duration_s=0.0, title="items")
    assert max(measurement.rates) <= 1000 / 0.01
    record = measurement.record("items_per_second")
    assert record["items_per_second"] == statistics.median(record["all"])
    assert record["lowest"] == min(record["all"]) and record["highest"] == max(record["all"])
    assert (record["subject"], record["size"]) == ("batch", 1)
    assert record["first_call_s"] >= 0.01


def test_a_subject_has_its_threads_and_the_rest_its_own_again():
    before = torch.get_num_threads()
    seen = []
    subject = Subject({"subject": "threads"}, lambda size: seen.append(torch.get_num_threads()), before + 1)
    interleaved([subject], repeats=1, duration_s=0.0, title="threads")
    assert set(seen) == {before + 1} and torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), torch_threads(before + 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


def test_what_a_subject_warns_of_is_kept():
    said = []

    def run(size):
        if not said:
            said.append(size)
            warnings.warn("it speaks slowly", stacklevel=1)

    (measurement,) = interleaved(
        [Subject({"subject": "slow"}, run, torch.get_num_threads())], repeats=2, duration_s=0.0, title="warn"
    )
    assert measurement.record()["warnings"] == ["it speaks slowly"]


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only where a subject says so: ``clock.sleeper(name, **options)``, 1 ms a unit."""

    class Clock:
        now, calls = 0.0, []

        def sleeper(self, name, **options):
            def run(size):
                self.calls.append((name, size))
                self.now += 1e-3 * size

            return Subject({"subject": name}, run, torch.get_num_threads(), **options)

    clock = Clock()
    monkeypatch.setattr(
        timing, "time", SimpleNamespace(monotonic=lambda: clock.now, perf_counter=lambda: clock.now)
    )
    return clock


@pytest.mark.parametrize(
    ("deadline", "size", "shortened"),
    [(math.inf, 40, False), (3600.0, 40, False), (0.1, 40, False), (0.08, 30, True), (0.0, 10, True)],
)
def test_a_whole_is_asked_for_and_cut_only_where_time_is_short(clock, deadline, size, shortened):
    subject = clock.sleeper("a", granule=10, whole=40)
    options = {"repeats": 1, "duration_s": 0.0, "title": "cut", "deadline": deadline}
    (measurement,) = interleaved([subject], **options)
    assert measurement.size == clock.calls[-1][1] == size
    assert measurement.record()["shortened"] == shortened


def test_beyond_a_whole_there_are_several(clock):
    subject = clock.sleeper("a", granule=10, whole=40)
    assert [subject.rounded(size) for size in (1, 10, 11, 30, 31, 40, 41, 80, 81)] == [
        10, 10, 20, 30, 40, 40, 80, 80, 120
    ]  # fmt: skip
    (measurement,) = interleaved([subject], repeats=1, duration_s=0.1, title="several")
    assert measurement.size == 120 and not measurement.shortened


def test_long_calls_are_cut_and_short_ones_stay(clock):
    subjects = [clock.sleeper("short", whole=2), clock.sleeper("long", whole=400)]
    short, long = interleaved(subjects, repeats=1, duration_s=0.0, title="cut", deadline=0.204)
    assert (short.size, short.shortened) == (2, False)
    assert (long.size, long.shortened) == (98, True)  # 200 ms left for two calls of each
    assert (len(short.rates), len(long.rates)) == (1, 1)
    assert clock.now == pytest.approx(0.204)


def test_no_call_is_cut_below_its_duration(clock):
    (measurement,) = interleaved(
        [clock.sleeper("a", whole=400)], repeats=3, duration_s=0.05, title="cut", deadline=0.06
    )
    assert measurement.size == 50 and len(measurement.rates) == 1


def test_without_time_a_second_call_of_one_granule_is_all(clock):
    subject = clock.sleeper("a", granule=100, whole=400, items=3)
    (measurement,) = interleaved([subject], repeats=5, duration_s=0.5, title="none", deadline=0.15)
    assert clock.calls == [("a", 100)] * 2
    assert measurement.rates == [pytest.approx(3000.0)] and measurement.record()["shortened"]


def test_rounds_end_at_the_deadline(clock):
    subject = clock.sleeper("a", granule=100)
    (measurement,) = interleaved([subject], repeats=50, duration_s=0.0, title="few", deadline=0.65)
    assert len(measurement.rates) == 4 and clock.now == pytest.approx(0.6)
    assert measurement.record()["shortened"]


def test_no_repeats_are_refused():
    with pytest.raises(UserError, match="repeats: expected at least 1, got 0"):
        interleaved([], repeats=0, duration_s=0.0, title="nothing")


def test_a_call_ends_when_the_device_has_finished(device, monkeypatch):
    """The kernels of a GPU run behind the calls that start them."""
    order = []
    monkeypatch.setattr(timing, "synchronise", lambda waited_for: order.append(waited_for))
    subject = Subject({"subject": "a"}, lambda size: order.append("run"), threads=1, largest=1, device=device)
    interleaved([subject], repeats=1, duration_s=0.0, title="a")
    assert order == [device, "run", device] * 3

"""Taking turns: subjects that are to be compared run one after the other, again and again, in one process."""

import math
import random
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from tqdm import tqdm

from wavegen.benchmark.budget import longest_call_s
from wavegen.errors import UserError


@dataclass(frozen=True)
class Subject:
    """Something whose rate is measured.

    Attributes:
        labels: what it is, for tables and files: subject, precision, batch size and what else tells it apart.
        run: does ``size`` units of its work and returns when they are done.
        threads: of torch's while it runs.
        granule: sizes are multiples of it.
        whole: the size of a call that is not cut short; greater ones are multiples of it. None: the granule.
        largest: size that is never exceeded.
        items: what one unit counts for: utterances in a batch, operations of a matrix product.
    """

    labels: dict[str, Any]
    run: Callable[[int], object]
    threads: int
    granule: int = 1
    whole: int | None = None
    largest: int = 1 << 40
    items: float = 1.0

    @property
    def title(self) -> str:
        """One line for progress bars and errors."""
        return " ".join(str(value) for value in self.labels.values())

    @property
    def least(self) -> int:
        """The size of a call that is not cut short."""
        return self.whole or self.granule

    def rounded(self, size: float) -> int:
        """The next size from there on that a call may have."""
        unit = self.least if size > self.least - self.granule else self.granule
        return min(unit * max(1, math.ceil(size / unit)), self.largest)


@dataclass(frozen=True)
class Measurement:
    """Rates of one subject, items a second, in the order in which they were taken.

    Attributes:
        labels, threads: the subject's.
        size: units in each timed call.
        first_call_s: the first call of this process, of one granule: with what is compiled or loaded once.
        shortened: the calls are smaller than asked for, as time is short.
        repeats: rounds that were asked for; there are fewer rates where time is short.
        warnings: what was said during it: that an engine gave way to PyTorch, say, whose time this then is.
    """

    labels: dict[str, Any]
    threads: int
    size: int
    first_call_s: float
    shortened: bool
    repeats: int
    warnings: Sequence[str] = ()
    rates: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.rates)

    def record(self, name: str = "samples_per_second") -> dict[str, Any]:
        """For JSON: the median under ``name``, its spread, and every value."""
        return {
            **self.labels,
            "threads": self.threads,
            name: self.median,
            "lowest": min(self.rates),
            "highest": max(self.rates),
            "all": list(self.rates),
            "size": self.size,
            "first_call_s": self.first_call_s,
            "shortened": self.shortened or len(self.rates) < self.repeats,
            "warnings": list(self.warnings),
        }


def interleaved(
    subjects: Sequence[Subject],
    *,
    repeats: int,
    duration_s: float,
    title: str,
    deadline: float = math.inf,
) -> list[Measurement]:
    """Every subject once a round, in a new order each round, so that what else the machine does meets all.

    Sizes are found beforehand, so that one call takes ``duration_s`` or more; that warms up as well. Where
    the rounds would last beyond ``deadline`` (of the monotonic clock), the longest calls are made smaller,
    though not shorter than ``duration_s``; where that does not suffice, there are fewer rounds, one at least.
    Where there is no time at all, a call of one granule is what there is.

    Raises:
        UserError: for fewer than one repeat.
    """
    if repeats < 1:
        raise UserError(f"repeats: expected at least 1, got {repeats}")
    results: list[Measurement] = []
    total = len(subjects) * (repeats + 2)
    with tqdm(total=total, desc=title, unit="run", disable=None, leave=False) as bar:
        first = [_first_calls(subject, bar) for subject in subjects]
        wanted_s = [
            max(duration_s, once_s * subject.least / subject.granule)
            for subject, (_, _, once_s) in zip(subjects, first, strict=True)
        ]
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return [
                Measurement(
                    s.labels,
                    s.threads,
                    s.granule,
                    first_s,
                    True,
                    repeats,
                    texts,
                    [s.items * s.granule / once_s],
                )
                for s, (first_s, texts, once_s) in zip(subjects, first, strict=True)
            ]
        cap_s = max(duration_s, longest_call_s(wanted_s, left_s / (repeats + 1)))  # one call to warm up
        for subject, (first_call_s, texts, once_s) in zip(subjects, first, strict=True):
            bar.set_postfix_str(subject.title)
            size = _size_for(subject, duration_s, cap_s, once_s)
            shortened = size < subject.least
            results.append(
                Measurement(subject.labels, subject.threads, size, first_call_s, shortened, repeats, texts)
            )
            bar.update()
        order, round_s = random.Random(0), 0.0
        for done in range(repeats):
            started = time.monotonic()
            if done and started + round_s > deadline:
                break
            for index in order.sample(range(len(subjects)), len(subjects)):
                subject, result = subjects[index], results[index]
                bar.set_postfix_str(subject.title)
                result.rates.append(subject.items * result.size / _seconds(subject, result.size))
                bar.update()
            round_s = time.monotonic() - started
    return results


def _first_calls(subject: Subject, bar: tqdm) -> tuple[float, tuple[str, ...], float]:
    """Seconds of the first call and what was said during it, and of a second one, both of one granule."""
    bar.set_postfix_str(subject.title)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        first_call_s = _seconds(subject, subject.granule)
    once_s = _seconds(subject, subject.granule)
    bar.update()
    return first_call_s, tuple(dict.fromkeys(str(warning.message) for warning in said)), once_s


def _size_for(subject: Subject, duration_s: float, cap_s: float, once_s: float) -> int:
    """The size of a call that takes ``duration_s`` and is whole, or of one that takes ``cap_s``."""
    size, seconds = subject.granule, once_s
    while size < subject.largest and (size < subject.least or seconds < duration_s):
        wanted = max(subject.least, size * min(16.0, 1.2 * duration_s / seconds))
        larger = subject.rounded(min(wanted, size * cap_s / seconds))
        if larger <= size:
            break
        size, seconds = larger, _seconds(subject, larger)
    return size


def _seconds(subject: Subject, size: int) -> float:
    with torch_threads(subject.threads):
        start = time.perf_counter()
        subject.run(size)
        return time.perf_counter() - start


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """A block in which torch computes on so many threads."""
    before = torch.get_num_threads()
    if count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)

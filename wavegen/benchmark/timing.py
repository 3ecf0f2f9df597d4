"""Measures rates of several subjects, interleaved in one process so that they are comparable."""

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
from wavegen.devices import synchronise
from wavegen.errors import UserError

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Subject:
    """Something whose rate is measured.

    Attributes:
        labels: identify it in tables and files: subject, precision, batch size and others.
        run: does ``size`` units of work and returns when they are done.
        threads: number of torch's threads while it runs.
        granule: sizes are multiples of it.
        whole: the size of a call that is not shortened; larger ones are multiples of it. None: the granule.
        largest: maximum size.
        items: number of items in one unit: utterances in a batch, operations of a matrix product.
        device: on which it computes; a call ends when the device has finished.
    """

    labels: dict[str, Any]
    run: Callable[[int], object]
    threads: int
    granule: int = 1
    whole: int | None = None
    largest: int = 1 << 40
    items: float = 1.0
    device: torch.device = CPU

    @property
    def title(self) -> str:
        """One line for progress bars and errors."""
        return " ".join(str(value) for value in self.labels.values())

    @property
    def least(self) -> int:
        """The smallest size of a call that is not shortened."""
        return self.whole or self.granule

    def rounded(self, size: float) -> int:
        """The size rounded up to one that a call may have."""
        unit = self.least if size > self.least - self.granule else self.granule
        return min(unit * max(1, math.ceil(size / unit)), self.largest)


@dataclass(frozen=True)
class Measurement:
    """Rates of one subject, in items per second, in the order of measurement.

    Attributes:
        labels, threads: the subject's.
        size: units in each timed call.
        first_call_s: time of the first call in this process, of one granule; it may compile or load code.
        shortened: whether the calls are smaller than configured, for lack of time.
        repeats: configured rounds; there are fewer rates if the time was not sufficient.
        warnings: of the first call, for example that PyTorch was used instead of an engine.
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
    """Run every subject once per round, in a random order, so that other load on the machine affects all.

    Sizes are chosen first, so that a call takes at least ``duration_s``; this also warms up. If the rounds
    would end after ``deadline`` (monotonic clock), the longest calls are shortened, but not below
    ``duration_s``; if that is not sufficient, there are fewer rounds, at least one. If there is no time at
    all, the result is one call of one granule.

    Raises:
        UserError: if ``repeats`` is below 1.
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
    """Seconds and warnings of the first call, and seconds of a second one, both of one granule."""
    bar.set_postfix_str(subject.title)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        first_call_s = _seconds(subject, subject.granule)
    once_s = _seconds(subject, subject.granule)
    bar.update()
    return first_call_s, tuple(dict.fromkeys(str(warning.message) for warning in said)), once_s


def _size_for(subject: Subject, duration_s: float, cap_s: float, once_s: float) -> int:
    """The size of a whole call that takes at least ``duration_s``; or of one that takes ``cap_s``."""
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
        synchronise(subject.device)
        start = time.perf_counter()
        subject.run(size)
        synchronise(subject.device)
        return time.perf_counter() - start


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Torch uses ``count`` threads inside the block."""
    before = torch.get_num_threads()
    if count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)

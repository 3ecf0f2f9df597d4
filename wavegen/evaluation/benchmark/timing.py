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

from wavegen.errors import UserError


@dataclass(frozen=True)
class Subject:
    """Something whose rate is measured.

    Attributes:
        labels: what it is, for tables and files: subject, precision, batch size and what else tells it apart.
        run: does ``size`` units of its work and returns when they are done.
        threads: of torch's while it runs.
        granule: sizes are multiples of it.
        largest: size that is never exceeded.
        items: what one unit counts for: utterances in a batch, operations of a matrix product.
    """

    labels: dict[str, Any]
    run: Callable[[int], object]
    threads: int
    granule: int = 1
    largest: int = 1 << 40
    items: float = 1.0

    @property
    def title(self) -> str:
        """One line for progress bars and errors."""
        return " ".join(str(value) for value in self.labels.values())


@dataclass(frozen=True)
class Measurement:
    """Rates of one subject, items a second, in the order in which they were taken.

    Attributes:
        labels, threads: the subject's.
        size: units in each timed call.
        first_call_s: the first call of this process, of one granule: with what is compiled or loaded once.
        warnings: what was said during it: that an engine gave way to PyTorch, say, whose time this then is.
    """

    labels: dict[str, Any]
    threads: int
    size: int
    first_call_s: float
    warnings: Sequence[str] = ()
    rates: Sequence[float] = field(default_factory=list)

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
            "warnings": list(self.warnings),
        }


def interleaved(
    subjects: Sequence[Subject], *, repeats: int, duration_s: float, title: str
) -> list[Measurement]:
    """Every subject once a round, in a new order each round, so that what else the machine does meets all.

    Sizes are found beforehand, so that one call takes ``duration_s`` or more; that warms up as well.

    Raises:
        UserError: for fewer than one repeat.
    """
    if repeats < 1:
        raise UserError(f"repeats: expected at least 1, got {repeats}")
    results: list[Measurement] = []
    with tqdm(total=len(subjects) * (repeats + 1), desc=title, unit="run", disable=None, leave=False) as bar:
        for subject in subjects:
            bar.set_postfix_str(subject.title)
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                first_call_s = _seconds(subject, subject.granule)
            size = _size_for(subject, duration_s)
            texts = tuple(dict.fromkeys(str(warning.message) for warning in said))
            results.append(Measurement(subject.labels, subject.threads, size, first_call_s, texts))
            bar.update()
        order = random.Random(0)
        for _ in range(repeats):
            for index in order.sample(range(len(subjects)), len(subjects)):
                subject, result = subjects[index], results[index]
                bar.set_postfix_str(subject.title)
                result.rates.append(subject.items * result.size / _seconds(subject, result.size))
                bar.update()
    return results


def _size_for(subject: Subject, duration_s: float) -> int:
    size = subject.granule
    while True:
        seconds = _seconds(subject, size)
        if seconds >= duration_s or size >= subject.largest:
            return size
        wanted = size * min(16.0, 1.2 * duration_s / seconds)
        size = min(subject.granule * math.ceil(wanted / subject.granule), subject.largest)


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

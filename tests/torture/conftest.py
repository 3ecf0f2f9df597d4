"""Damages files at random and watches what happens: one sentence, or nothing; never a traceback or a hang."""

import os
import random
import signal
from collections import Counter
from contextlib import contextmanager

import pytest

from wavegen.errors import UserError

MUTATIONS = "WAVEGEN_TORTURE_MUTATIONS"
"""Environment variable: mutations of each file in the long form."""
SHORT, LONG, LONGEST_S = 20, 2000, 60


class TookTooLong(BaseException):
    """Not an ``Exception``, so that no handler swallows it."""


@contextmanager
def limited(seconds: int):
    def raise_it(signum, frame):
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, raise_it)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(
    params=[
        pytest.param(SHORT, id="short", marks=pytest.mark.slow),
        pytest.param(int(os.environ.get(MUTATIONS, LONG)), id="long", marks=pytest.mark.torture),
    ]
)
def outcomes(request, capsys):
    """``outcomes(content, damage, use)``: how ``use(damaged bytes)`` ended for every damaged version of the
    content, a Counter: ``accepted``, ``refused`` (by a ``UserError`` of one line), or whatever else happened.
    """

    def count(content: bytes, damage, use) -> Counter:
        counts: Counter = Counter()
        use(content)  # whole, it is accepted
        for number in range(request.param):
            damaged, what = damage(content, random.Random(number))
            ended = "accepted"
            try:
                with limited(LONGEST_S):
                    use(damaged)
            except UserError as error:
                ended = "refused" if "\n" not in str(error).strip() else f"{number}, {what}: several lines"
            except (Exception, TookTooLong) as error:
                ended = f"{number}, {what}: {type(error).__name__}: {error}"
            counts[ended] += 1
        with capsys.disabled():
            if request.param != SHORT:
                print(f"\n{request.node.name}: {counts.total()} mutations, {dict(counts)}")
        return counts

    return count

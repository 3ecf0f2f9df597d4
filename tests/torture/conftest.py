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
def survives(request, capsys):
    """``survives(content, damage, use)``: ``use(damaged bytes)`` accepts every damaged version of the content
    or refuses it with a ``UserError`` of one line; the numbers of both are printed.
    """

    def check(content: bytes, damage, use) -> Counter:
        counts: Counter = Counter()
        use(content)  # whole, it is accepted
        for number in range(request.param):
            damaged, what = damage(content, random.Random(number))
            try:
                with limited(LONGEST_S):
                    use(damaged)
            except UserError as error:
                assert str(error) and "\n" not in str(error).strip(), f"mutation {number}, {what}: {error}"
                counts["refused"] += 1
            except (Exception, TookTooLong) as error:
                pytest.fail(f"mutation {number}, {what}: {type(error).__name__}: {error}")
            else:
                counts["accepted"] += 1
        with capsys.disabled():
            if request.param != SHORT:
                print(f"\n{request.node.name}: {counts.total()} mutations, {dict(counts)}")
        return counts

    return check

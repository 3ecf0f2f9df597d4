"""Divides the time of a benchmark among its parts, and limits the longest calls on a slow machine."""

import math
import time
from collections.abc import Mapping, Sequence


class Budget:
    """Time that is divided among parts, which run one after the other.

    Time that a part does not use goes to the later parts; time beyond its share is taken from them.

    Args:
        seconds: for all parts, from now on; infinite for no limit.
        weights: of every part, in any unit. A part's share of the remaining time is its weight divided by
            that of all parts that have not begun.
    """

    def __init__(self, seconds: float, weights: Mapping[str, float]) -> None:
        self.end = time.monotonic() + seconds
        self._weights = dict(weights)

    def deadline(self, part: str) -> float:
        """The time on the monotonic clock until which a part that begins now may run."""
        now = time.monotonic()
        rest = sum(self._weights.values())
        return now + max(0.0, self.end - now) * self._weights.pop(part) / rest


def longest_call_s(wanted_s: Sequence[float], total_s: float) -> float:
    r"""The limit c of calls that would take ``wanted_s``, such that :math:`\sum_i \min(s_i, c)` is
    ``total_s``.

    Infinite if no limit is needed. Short calls are unchanged; all longer ones get the same length.
    """
    left = total_s
    for index, seconds in enumerate(sorted(wanted_s)):
        equal = left / (len(wanted_s) - index)
        if seconds > equal:
            return max(0.0, equal)
        left -= seconds
    return math.inf

"""How a benchmark ends in time on a slow machine: every part has its share, and long calls are cut first."""

import math
import time
from collections.abc import Mapping, Sequence


class Budget:
    """Time that is shared out among parts, which come one after the other.

    What a part does not use goes to those after it, and what it uses beyond its share they go without.

    Args:
        seconds: for all of them, from now on; infinite for as long as they take.
        weights: of every part, in any unit: its share of the time that is left when it begins is its weight
            over that of all parts that have not begun.
    """

    def __init__(self, seconds: float, weights: Mapping[str, float]) -> None:
        self.end = time.monotonic() + seconds
        self._weights = dict(weights)

    def deadline(self, part: str) -> float:
        """Until when, on the monotonic clock, the part may last that begins now."""
        now = time.monotonic()
        rest = sum(self._weights.values())
        return now + max(0.0, self.end - now) * self._weights.pop(part) / rest


def longest_call_s(wanted_s: Sequence[float], total_s: float) -> float:
    r"""The cap c on calls that would take ``wanted_s``, so that :math:`\sum_i \min(s_i, c)` is ``total_s``.

    Infinite where they need no cap. Short calls stay as they are, the long ones become equally long.
    """
    left = total_s
    for index, seconds in enumerate(sorted(wanted_s)):
        equal = left / (len(wanted_s) - index)
        if seconds > equal:
            return max(0.0, equal)
        left -= seconds
    return math.inf

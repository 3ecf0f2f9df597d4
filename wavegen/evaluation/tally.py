"""Collects per-utterance values and computes a flat table of means and intervals."""

import json
import math
from collections import defaultdict

from torch import Tensor

from wavegen.metrics.bits import ratio_interval


class Tally:
    """Collects ``system/metric`` values with their weights, one per utterance.

    A NaN value (for example, without voiced frames) is left out. A metric without any value is reported as
    None: it could not be measured.
    """

    def __init__(self) -> None:
        self._entries: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._ratios: dict[str, list[tuple[float, float]]] = {}

    def add(self, key: str, value: float | Tensor, weight: float = 1.0) -> None:
        """Add one utterance's mean, with the number of samples or frames that it is a mean over."""
        self._entries[key].append((float(value), float(weight)))

    def entries(self, key: str) -> list[tuple[float, float]]:
        """The values added under a key so far, with their weights."""
        return list(self._entries[key])

    def relate(self, key: str, numerator: str, denominator: str) -> None:
        """Add ``key``, the ratio of the weighted means of two keys, paired utterance by utterance.

        Utterances that lack either value are left out.

        Raises:
            ValueError: the two keys have different numbers of utterances.
        """
        pairs = zip(self._entries[numerator], self._entries[denominator], strict=True)
        sums = [(value * weight, other * other_weight) for (value, weight), (other, other_weight) in pairs]
        self._ratios[key] = [pair for pair in sums if all(map(math.isfinite, pair))]

    def metrics(self, *, seed: int) -> dict[str, float | None]:
        """``key``, the weighted mean; ``key_low`` and ``key_high``, its 95 % interval over utterances."""
        sums = {
            key: [(v * weight, weight) for v, weight in entries if math.isfinite(v) and weight > 0]
            for key, entries in self._entries.items()
        } | self._ratios
        result: dict[str, float | None] = {}
        for key, pairs in sums.items():
            numerators, denominators = zip(*pairs, strict=True) if pairs else ((), ())
            if sum(denominators) <= 0:
                result |= {key: None, f"{key}_low": None, f"{key}_high": None}
                continue
            mean = sum(numerators) / sum(denominators)
            low, high = ratio_interval(numerators, denominators, seed=seed)
            interval = {f"{key}_low": low, f"{key}_high": high}
            result |= {key: mean} | {k: v if math.isfinite(v) else None for k, v in interval.items()}
        return result


def as_json(metrics: dict[str, float | None]) -> str:
    """JSON with sorted keys; counts unchanged, other numbers with six significant digits, null for NaN."""

    def rounded(value: float | None) -> float | None:
        if value is None or isinstance(value, int):
            return value
        return float(f"{value:.6g}") if math.isfinite(value) else None

    return json.dumps({key: rounded(value) for key, value in sorted(metrics.items())}, indent=1) + "\n"

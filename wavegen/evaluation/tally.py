"""Collects per-utterance values and computes a flat table of means and intervals."""

import json
import math
from collections import defaultdict

from torch import Tensor

from wavegen.metrics.bits import bootstrap_interval


class Tally:
    """Collects ``system/metric`` values with their weights, one per utterance.

    A NaN value (for example, without voiced frames) is left out. A metric without any value is reported as
    None: it could not be measured.
    """

    def __init__(self) -> None:
        self._entries: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def add(self, key: str, value: float | Tensor, weight: float = 1.0) -> None:
        """Add one utterance's mean, with the number of samples or frames that it is a mean over."""
        self._entries[key].append((float(value), float(weight)))

    def entries(self, key: str) -> list[tuple[float, float]]:
        """The values added under a key so far, with their weights."""
        return list(self._entries[key])

    def metrics(self, *, seed: int) -> dict[str, float | None]:
        """``key``, the weighted mean; ``key_low`` and ``key_high``, its 95 % interval over utterances."""
        result: dict[str, float | None] = {}
        for key, entries in self._entries.items():
            finite = [(value, weight) for value, weight in entries if math.isfinite(value) and weight > 0]
            if not finite:
                result |= {key: None, f"{key}_low": None, f"{key}_high": None}
                continue
            values, weights = zip(*finite, strict=True)
            mean = sum(value * weight for value, weight in finite) / sum(weights)
            low, high = bootstrap_interval(values, weights, seed=seed)
            result |= {key: mean, f"{key}_low": low, f"{key}_high": high}
        return result


def as_json(metrics: dict[str, float | None]) -> str:
    """JSON with sorted keys; counts unchanged, other numbers with six significant digits, null for NaN."""

    def rounded(value: float | None) -> float | None:
        if value is None or isinstance(value, int):
            return value
        return float(f"{value:.6g}") if math.isfinite(value) else None

    return json.dumps({key: rounded(value) for key, value in sorted(metrics.items())}, indent=1) + "\n"

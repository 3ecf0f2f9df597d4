"""Measures the rates of the student's products in float32 and bfloat16 on this CPU, within milliseconds.

CPUs with the same instructions differ: some compute twice as many products in bfloat16 (``vdpbf16ps``) as in
float32, others half as many.
"""

import time
from functools import cache

import numpy as np

from wavegen.compiled.compiled_sources import cached_on_disk
from wavegen.engines.parallel.layers import add_panel
from wavegen.engines.parallel.tables import COLUMNS
from wavegen.engines.vector.packed_matrix import aligned_zeros
from wavegen.engines.vector.panels import PANEL

_ROWS, _PRODUCTS, _ROUNDS = 64, 200, 9


@cached_on_disk()
def _multiply(weights, inputs, offsets, sums, rows, products):
    for _ in range(products):
        add_panel(weights, 0, inputs, 0, offsets, 0, rows, sums, 0, PANEL)


@cache
def bfloat16_gain() -> float:
    """Ratio of the rates of multiply–adds in bfloat16 and float32, on one thread, in the first-level cache.

    The best of several alternating rounds, to reduce the influence of other work on the machine.
    """
    offsets, sums = np.arange(COLUMNS) * _ROWS, aligned_zeros(COLUMNS * PANEL)
    # Zeros take as long as other numbers. A word contains two inputs.
    factors = [
        (aligned_zeros(_ROWS * PANEL, element), aligned_zeros(COLUMNS * _ROWS, element), _ROWS // per_word)
        for element, per_word in ((np.float32, 1), (np.int32, 2))
    ]
    best = [np.inf, np.inf]
    for _ in range(1 + _ROUNDS):
        for index, (weights, inputs, rows) in enumerate(factors):
            start = time.perf_counter()
            _multiply(weights, inputs, offsets, sums, rows, _PRODUCTS)
            best[index] = min(best[index], time.perf_counter() - start)
    return best[0] / best[1]

"""Draws a sample from its parameters and two uniforms, like ``sample_from_uniforms`` of the heads."""

import math

import numpy as np
from numba import njit

from wavegen.compiled.fast_math import exp32
from wavegen.engines.sequential.packed import MIXTURE, MU_LAW
from wavegen.engines.vector.products import OPTIONS

_ZERO, _ONE = np.float32(0), np.float32(1)


@njit(**OPTIONS)
def pick(logits, first, count, temperature, uniform):
    """The component that the uniform selects from softmax(logits / T); overwrites the logits."""
    highest = logits[first]
    for i in range(first + 1, first + count):
        highest = max(highest, logits[i])
    sharpness = _ONE / max(temperature, np.float32(1e-6))
    for i in range(first, first + count):
        logits[i] = exp32((logits[i] - highest) * sharpness)
    total = _ZERO
    for i in range(first, first + count):
        total += logits[i]
    threshold, cumulative, index = uniform * total, _ZERO, 0
    for i in range(first, first + count - 1):
        cumulative += logits[i]
        if threshold >= cumulative:
            index += 1
    return index


@njit(**OPTIONS, forceinline=True)
def draw(net, parameters, first, temperature, uniform, noise, loc, log_scale, scale):
    """A sample of one column, like ``sample_from_uniforms`` of the head's distribution.

    ``loc``, ``log_scale`` and ``scale``, its exponential, map the parameters as ``affine`` of the head does.
    """
    count = net.num_components
    if net.head == MU_LAW:
        return net.levels[pick(parameters, first, len(net.levels), temperature, uniform)]
    index = pick(parameters, first, count, temperature, uniform) if net.head == MIXTURE else 0
    place = first + (count if net.head == MIXTURE else 0) + index
    log_spread = max(parameters[place + count] + log_scale, np.float32(net.min_log_scale))
    value = loc + scale * parameters[place] + temperature * np.float32(math.exp(log_spread)) * noise
    step, low, high = np.float32(net.step), np.float32(net.low), np.float32(net.high)
    return min(max(low + step * np.rint((value - low) / step), low), high)

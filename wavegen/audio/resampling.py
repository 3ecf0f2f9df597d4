"""Resampling: changes of the sample rate."""

from fractions import Fraction
from typing import TypeVar

import numpy as np
import torch

from wavegen.audio.torchaudio_import import torchaudio_functional

_Array = TypeVar("_Array", np.ndarray, torch.Tensor)

# A kernel as good as resampy's "kaiser_best": flat up to 0.95 of the band, attenuation 100 dB beyond it.
_KERNEL = {
    "lowpass_filter_width": 64,
    "rolloff": 0.9475937167399596,
    "resampling_method": "sinc_interp_kaiser",
    "beta": 14.769656459379492,
}
LARGEST_TERM = 4000
"""Largest term of the ratio of two rates; the kernels for 48,001 Hz to 16,000 Hz would need gigabytes."""


def resample(waveform: _Array, from_rate: int, to_rate: int) -> _Array:
    """Band-limited change of the sample rate along the last dimension; differentiable for tensors.

    A ratio with a term above ``LARGEST_TERM`` is replaced by the nearest ratio without: 48,001 to 16,000 Hz
    becomes 3 : 1, which changes the duration by 2 in 10⁵.

    Returns:
        ``ceil(samples × ratio)`` samples of the same type; the input itself if the rates are equal.
    """
    if from_rate == to_rate:
        return waveform
    ratio = Fraction(to_rate, from_rate).limit_denominator(LARGEST_TERM)
    tensor = torch.as_tensor(waveform)
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    changed = torchaudio_functional().resample(tensor, ratio.denominator, ratio.numerator, **_KERNEL)
    return changed if isinstance(waveform, torch.Tensor) else changed.numpy()

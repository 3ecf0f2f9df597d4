"""The level of a signal, in total or in selected frames."""

import math

import torch
from torch import Tensor

from wavegen.errors import UserError

LOWEST_RMS = 2.0**-15
"""One step of the 16-bit grid, −90.3 dBFS: levels in decibels are at least this, so that silence has one."""


def level_rms(waveform: Tensor, mask: Tensor | None = None) -> float:
    """sqrt(mean x²) of `waveform` `(time,)`, or of the frames that `mask` `(frames,)` selects; NaN for none.

    In a mask of F frames, each frame has `time // F` samples.
    """
    if mask is not None:
        if mask.shape[-1] == 0 or waveform.shape[-1] < mask.shape[-1]:
            raise UserError(
                f"level_rms: the mask must have between one frame and one per sample, got {mask.shape[-1]} "
                f"frames for {waveform.shape[-1]} samples."
            )
        hop_samples = waveform.shape[-1] // mask.shape[-1]
        spread = torch.as_tensor(mask).bool().repeat_interleave(hop_samples)
        waveform = waveform[: spread.shape[-1]][spread]
    return waveform.double().square().mean().sqrt().item() if waveform.numel() else math.nan


def level_dbfs(waveform: Tensor, mask: Tensor | None = None) -> float:
    """20 log₁₀ of `level_rms`, at least that of one step of the 16-bit grid (−90.3); NaN for no frames.

    Full scale is a constant of 1: a full-scale sine has −3 dBFS.
    """
    rms = level_rms(waveform, mask)
    return rms if math.isnan(rms) else 20 * math.log10(max(rms, LOWEST_RMS))


def level_difference_db(reference: Tensor, waveform: Tensor, mask: Tensor | None = None) -> float:
    """`level_dbfs` of `waveform` minus that of `reference`, `(time,)` each, in the same frames.

    Negative values are too quiet. Differences in decibels of several utterances may be averaged: each counts
    relative to its own recording, whatever its loudness, and a silent utterance has a finite value.
    """
    return level_dbfs(waveform, mask) - level_dbfs(reference, mask)

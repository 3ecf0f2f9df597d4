"""The level of a signal, in total or in selected frames."""

import math

import torch
from torch import Tensor

from wavegen.errors import UserError


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

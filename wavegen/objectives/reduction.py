"""Means over scored samples, and waveforms without the others."""

import torch
from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` where ``mask`` is true, both ``(…, batch, time)``; zero if the mask is empty.

    Masked-out values may be infinite or NaN, because they are removed and not multiplied by zero.
    """
    mask = mask.expand(values.shape)
    return values.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def scored_part(waveform: Tensor, mask: Tensor) -> Tensor:
    """``waveform (batch, time)`` from the first to the last time that is scored in any row, silent elsewhere.

    The past before a segment, which is conditioned on but not scored, is cut off: it costs nothing and does
    not count in a mean over the frames of what is left. Segments near the beginning or the end of an
    utterance are scored earlier or later than the others of their batch, so these have silence there, which
    counts. One sample of silence is left of a batch without scored samples.
    """
    times = mask.any(0).cpu().nonzero().flatten()  # one wait for an accelerator instead of three
    first, last = (int(times[0]), int(times[-1])) if len(times) else (0, 0)
    kept = slice(first, last + 1)
    return torch.where(mask[:, kept], waveform[:, kept], 0.0)

"""Pauses of an utterance: the frames in which nobody should be heard."""

from collections.abc import Sequence

import torch
from torch import Tensor

from wavegen.linguistics.phones import TimedPhone
from wavegen.metrics.frames import FRAME_RATE

MARGIN_S = 0.025
"""Phone boundaries are not exact to the frame, and sounds fade."""


def pause_frames(phones: Sequence[TimedPhone], num_frames: int, *, margin_s: float = MARGIN_S) -> Tensor:
    """Frames in a silent phone, at least ``margin_s`` away from other phones: bool ``(num_frames,)``.

    Frame i covers i · 5 ms to (i + 1) · 5 ms. At the beginning and at the end of the utterance there is no
    margin, since no other phone is there.
    """
    start_s = torch.arange(num_frames, dtype=torch.float64) / FRAME_RATE
    pauses = torch.zeros(num_frames, dtype=torch.bool)
    tolerance_s = 1e-6  # boundaries on whole frames are not exact in floating point
    for index, phone in enumerate(phones):
        if phone.is_silence:
            first = phone.start_s + (margin_s if index > 0 else 0.0) - tolerance_s
            last = phone.end_s - (margin_s if index < len(phones) - 1 else 0.0) + tolerance_s
            pauses |= (start_s >= first) & (start_s + 1 / FRAME_RATE <= last)
    return pauses

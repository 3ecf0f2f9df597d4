"""The description of a metric, and the input of metrics of one utterance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from wavegen.audio.pitch import PitchTrack


@dataclass(frozen=True)
class Spoken:
    """An utterance synthesised by a system, with its recording; waveforms ``(samples,)``.

    Level and harmonicity in voiced frames use the *recording's* voicing, so that missing vowels count.
    """

    waveform: Tensor
    reference: Tensor
    sample_rate: int
    pitch: PitchTrack
    reference_pitch: PitchTrack

    @property
    def signals(self) -> tuple[Tensor, Tensor, int]:
        return self.reference, self.waveform, self.sample_rate

    @property
    def f0(self) -> tuple[np.ndarray, np.ndarray]:
        """F0 in Hz and voicing of every frame."""
        return self.pitch.f0_hz, self.pitch.voiced

    @property
    def reference_f0(self) -> tuple[np.ndarray, np.ndarray]:
        """F0 in Hz and voicing of every frame of the recording."""
        return self.reference_pitch.f0_hz, self.reference_pitch.voiced

    @property
    def voiced(self) -> Tensor:
        """The voiced frames of the recording, bool."""
        return torch.as_tensor(self.reference_pitch.voiced) > 0.5


@dataclass(frozen=True)
class Metric:
    """One number of a report.

    Args:
        key: in ``metrics.json``; after ``SYSTEM/`` if every system has its own value.
        title, unit, explanation: texts of the report.
        better: "lower", "higher" or "near" (close to the recording's value).
        digits: after the decimal point.
        percent: whether the value is a share, shown as a percentage.
        function: computes the number for one utterance; None if it is computed elsewhere.
        over: the frames that it is a mean over: all, or those voiced in the recording.
        of_reference: whether it is computed for the recording too; a distance to itself is always zero.
    """

    key: str
    title: str
    unit: str
    better: Literal["lower", "higher", "near"]
    explanation: str
    digits: int = 2
    percent: bool = False
    function: Callable[[Spoken], float] | None = None
    over: Literal["all", "voiced"] = "all"
    of_reference: bool = False

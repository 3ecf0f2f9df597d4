"""What the registry says of a number, and what a number of one utterance is taken from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from wavegen.audio.pitch import PitchTrack


@dataclass(frozen=True)
class Spoken:
    """An utterance as a system speaks it, beside its recording; waveforms ``(samples,)``.

    Level and harmonicity in voiced frames take the *recording's* voicing: a vowel that was swallowed counts.
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
        """The same of the recording."""
        return self.reference_pitch.f0_hz, self.reference_pitch.voiced

    @property
    def voiced(self) -> Tensor:
        """Which frames of the recording are voiced, bool."""
        return torch.as_tensor(self.reference_pitch.voiced) > 0.5


@dataclass(frozen=True)
class Metric:
    """One number of a report.

    Args:
        key: in ``metrics.json``; behind ``SYSTEM/`` where there is one for every system.
        title, unit, explanation: what the reader is told.
        better: "lower", "higher" or "near" (the recording's value).
        digits: behind the decimal point.
        percent: whether the value is a share, shown as a percentage.
        function: of one utterance; None where the number comes from elsewhere.
        over: the frames that it is a mean over, all or those that are voiced in the recording.
        of_reference: whether the recording itself has it; a distance to itself is zero by definition.
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

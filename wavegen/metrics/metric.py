"""The description of a metric, and the input of metrics of one utterance."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from wavegen.audio.pitch import PitchTrack
from wavegen.linguistics.arpabet import arpabet_words
from wavegen.linguistics.phones import TimedPhone
from wavegen.metrics.pauses import pause_frames
from wavegen.metrics.recognition import SentenceChoice

Over = Literal["all", "voiced", "pauses", "phones", "utterances"]


@dataclass(frozen=True)
class Spoken:
    """An utterance synthesised by a system, with its recording; waveforms ``(samples,)``.

    Level and harmonicity in voiced frames use the *recording's* voicing, so that missing vowels count.

    Args:
        waveform, reference, sample_rate: the system's and the recording's sound.
        pitch, reference_pitch: their tracks.
        phones: what is said, with timing.
        choice: of the sentence among several, of which the first is the right one; None where there are no
            others, or the utterance is not whole.
    """

    waveform: Tensor
    reference: Tensor
    sample_rate: int
    pitch: PitchTrack
    reference_pitch: PitchTrack
    phones: Sequence[TimedPhone] = ()
    choice: SentenceChoice | None = None

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

    @cached_property
    def pauses(self) -> Tensor:
        """The frames of the recording's pauses, bool."""
        return pause_frames(self.phones, len(self.voiced))

    @cached_property
    def arpabet(self) -> tuple[str, ...]:
        """What is said, in the recogniser's phones."""
        return sum(arpabet_words(self.phones), ())

    @property
    def is_right_choice(self) -> float:
        """1 if the recogniser chooses the right sentence, 0 if it chooses another one or none."""
        return math.nan if self.choice is None else float(self.choice(self.waveform, self.sample_rate) == 0)

    def count(self, over: Over) -> int:
        """How many of them the utterance has: the weight of its value in a mean."""
        counts = {"all": len(self.voiced), "voiced": int(self.voiced.sum()), "pauses": int(self.pauses.sum())}
        return (counts | {"phones": len(self.arpabet), "utterances": 1})[over]


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
        over: what it is a mean over: all frames, those voiced in the recording or in its pauses, phones, or
            utterances.
        of_recording: the recording's value by definition, such as 0 of a distance; None if it is measured.
        relative_to: the key of another metric; the number is its ratio to the recording's.
        package: an importable package without which it is left out; None if it is always there.
    """

    key: str
    title: str
    unit: str
    better: Literal["lower", "higher", "near"]
    explanation: str
    digits: int = 2
    percent: bool = False
    function: Callable[[Spoken], float] | None = None
    over: Over = "all"
    of_recording: float | None = None
    relative_to: str | None = None
    package: str | None = None

    @property
    def is_available(self) -> bool:
        return self.package is None or find_spec(self.package) is not None

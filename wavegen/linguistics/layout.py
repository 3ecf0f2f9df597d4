"""Which columns a compact frame has, and how each of them is encoded; ``docs/features.md`` has an example."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from wavegen.audio.glottal import cycles_from_f0, cycles_from_pulses
from wavegen.audio.pitch import PitchTrack
from wavegen.linguistics.phones import TimedPhone
from wavegen.untrusted.parts import describe


@dataclass(frozen=True)
class Column:
    """A column of compact frames.

    Args:
        name: of the column.
        categories: the names of what its whole numbers stand for; encoded as a one-hot vector.
        scaled_over: the frames over which mean and deviation are taken: those of speech, or voiced ones; None
            leaves the number as it is.
        is_feature: whether nets read it among their features.
    """

    name: str
    categories: tuple[str, ...] = ()
    scaled_over: Literal["speech", "voiced"] | None = None
    is_feature: bool = True

    @property
    def feature_names(self) -> tuple[str, ...]:
        if not self.is_feature:
            return ()
        return tuple(f"{self.name}={category}" for category in self.categories) or (self.name,)


PITCH_COLUMNS = (
    Column("log_f0", scaled_over="voiced"),
    Column("voiced"),
    Column("cycles", is_feature=False),
)
"""What every layout ends in."""


def pitch_columns(pitch: PitchTrack) -> dict[str, np.ndarray]:
    """The values of ``PITCH_COLUMNS`` by name; cycles from glottal pulses where the track has any."""
    f0_hz, voiced, pulses_s = pitch.f0_hz, pitch.voiced, pitch.pulses_s
    has_pulses = len(pulses_s) > 0
    cycles = cycles_from_pulses(pulses_s, f0_hz, voiced, len(f0_hz)) if has_pulses else cycles_from_f0(f0_hz)
    return {"log_f0": np.log(f0_hz), "voiced": voiced, "cycles": cycles}


class FeatureLayout:
    """Base of the layouts, frozen dataclasses of plain settings. The feature vector follows the columns.

    A corpus keeps *compact* frames, indices instead of one-hots, and a
    :class:`~wavegen.linguistics.encoder.FeatureEncoder` turns them into what nets read. To add a layout,
    write a file with such a class that has ``columns`` (ending in ``PITCH_COLUMNS``), ``compact``,
    ``is_speech`` and ``num_unknown``, and a configuration ``configs/layout/NAME.yaml``.
    """

    @property
    def columns(self) -> tuple[Column, ...]:
        raise NotImplementedError

    def compact(self, phones: Sequence[TimedPhone], num_frames: int, pitch: PitchTrack) -> np.ndarray:
        """Compact frames ``(num_frames, columns)`` float32 of one utterance."""
        raise NotImplementedError

    def is_speech(self, frames: np.ndarray) -> np.ndarray:
        """Which compact frames are not silence, ``(num_frames,)`` bool."""
        raise NotImplementedError

    def num_unknown(self, phones: Sequence[TimedPhone]) -> int:
        """How many of the phones the layout has no name for."""
        raise NotImplementedError

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the encoded features, in order."""
        return tuple(name for column in self.columns for name in column.feature_names)

    @property
    def num_features(self) -> int:
        return len(self.feature_names)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that differ where layouts differ."""
        content = [describe(self), list(self.column_names)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def column(self, name: str) -> int:
        """Index of a compact column."""
        return self.column_names.index(name)

"""Columns of compact frames and their encoding; ``docs/features.md`` has an example."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from wavegen.linguistics.contours import Contours
from wavegen.linguistics.phones import TimedPhone
from wavegen.untrusted.parts import describe


@dataclass(frozen=True)
class Column:
    """A column of compact frames.

    Args:
        name: of the column.
        categories: names of the values 0, 1, …, which are encoded as a one-hot vector; empty for a number.
        scaled_over: the frames over which mean and standard deviation are computed, speech or voiced frames;
            None leaves the number unscaled.
        is_feature: whether the column is part of the features that nets read.
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


CONTOUR_COLUMNS = (
    Column("log_f0", scaled_over="voiced"),
    Column("voiced"),
    Column("cycles", is_feature=False),
    Column("loudness_db", scaled_over="speech"),
)
"""The last columns of every layout; :meth:`~wavegen.linguistics.contours.Contours.columns` has the values."""


class FeatureLayout:
    """Base class of layouts: frozen dataclasses of plain settings. Features follow the order of the columns.

    A corpus stores *compact* frames, which have indices instead of one-hot vectors. A
    :class:`~wavegen.linguistics.encoder.FeatureEncoder` converts them to input of the nets. To add a layout,
    write a file with such a class that has ``columns`` (ending in ``CONTOUR_COLUMNS``), ``compact``,
    ``is_speech`` and ``num_unknown``, and a configuration ``configs/layout/NAME.yaml``, whose first line is
    ``# @package corpus.layout``.
    """

    @property
    def columns(self) -> tuple[Column, ...]:
        raise NotImplementedError

    def compact(self, phones: Sequence[TimedPhone], num_frames: int, contours: Contours) -> np.ndarray:
        """Compact frames ``(num_frames, columns)`` float32 of one utterance."""
        raise NotImplementedError

    def is_speech(self, frames: np.ndarray) -> np.ndarray:
        """Marks the compact frames that are not silence, ``(num_frames,)`` bool."""
        raise NotImplementedError

    def num_unknown(self, phones: Sequence[TimedPhone]) -> int:
        """The number of phones that the layout has no name for."""
        raise NotImplementedError

    def retimed(self, frames: np.ndarray, phones: Sequence[TimedPhone]) -> np.ndarray:
        """Compact frames of an utterance whose phones have other times; its contours are those it had."""
        contours = frames[:, -len(CONTOUR_COLUMNS) :]
        changed = self.compact(phones, len(frames), Contours.of_columns(contours))
        changed[:, -len(CONTOUR_COLUMNS) :] = contours
        return changed

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
        """Sixteen hexadecimal digits that identify the layout."""
        content = [describe(self), list(self.column_names)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def column(self, name: str) -> int:
        """The index of a compact column."""
        return self.column_names.index(name)

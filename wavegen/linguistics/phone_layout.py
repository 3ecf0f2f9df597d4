"""The phone layout: current and surrounding phones of a frame, and positions in phone, word and phrase."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wavegen.audio.pitch import FRAME_S, frame_centres_s
from wavegen.errors import UserError
from wavegen.linguistics.contours import Contours
from wavegen.linguistics.layout import CONTOUR_COLUMNS, Column, FeatureLayout
from wavegen.linguistics.phones import EN_US_PHONES, SILENCE, UNKNOWN, TimedPhone

WIDEST_CONTEXT = 32
STRESSES = ("0", "1", "2")
POSITIONS = (
    "position_in_phone",
    "position_in_word",
    "position_in_phrase",
    "log_phone_duration",
    "log_word_duration",
)


@dataclass(frozen=True)
class PhoneLayout(FeatureLayout):
    """One-hot vectors of the current and surrounding phones, stress, positions, durations, contours.

    Args:
        phones: the inventory; index 0 is silence ``_`` and index 1 the unknown phone ``?``.
        context_width: number of phones before and after the current one.
        loudness: whether the loudness contour is a feature. Phones and F0 do not determine the level of
            speech. Without its contour, a model can only learn its average.

    Raises:
        UserError: if the inventory is invalid, or the width is not within 0 to 32.
    """

    phones: tuple[str, ...] = EN_US_PHONES
    context_width: int = 2
    loudness: bool = True

    def __post_init__(self) -> None:
        phones = tuple(self.phones)
        object.__setattr__(self, "phones", phones)
        if phones[:2] != (SILENCE, UNKNOWN) or len(set(phones)) != len(phones):
            raise UserError(
                f"a feature layout needs distinct phones that start with _ and ?, got {phones[:4]} …"
            )
        if not 0 <= self.context_width <= WIDEST_CONTEXT:
            raise UserError(
                f"a feature layout's context_width must be within 0 to {WIDEST_CONTEXT}, got "
                f"{self.context_width}"
            )

    @cached_property
    def phone_columns(self) -> tuple[str, ...]:
        width = self.context_width
        return tuple(f"phone{offset:+d}" if offset else "phone" for offset in range(-width, width + 1))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        return (
            *(Column(name, self.phones) for name in self.phone_columns),
            Column("stress", STRESSES),
            *(Column(name, scaled_over="speech") for name in POSITIONS),
            *self.contour_columns,
        )

    @cached_property
    def contour_columns(self) -> tuple[Column, ...]:
        last = CONTOUR_COLUMNS[-1]
        return (*CONTOUR_COLUMNS[:-1], replace(last, is_feature=self.loudness))

    def is_speech(self, frames: np.ndarray) -> np.ndarray:
        return frames[:, self.column("phone")] != 0

    def num_unknown(self, phones: Sequence[TimedPhone]) -> int:
        return sum(self.phone_index(phone.phone) == 1 for phone in phones)

    def phone_index(self, phone: str) -> int:
        """The index of ``phone``, or that of ``?`` if the inventory does not contain it."""
        return self._indices.get(phone, self._indices[UNKNOWN])

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {phone: index for index, phone in enumerate(self.phones)}

    def compact(self, phones: Sequence[TimedPhone], num_frames: int, contours: Contours) -> np.ndarray:
        """Compact frames ``(num_frames, columns)`` float32 of one utterance.

        A frame belongs to the phone at its centre; after the last phone it is silence. Positions run from 0
        to 1 between the start and the end of the phone, word or phrase. Durations are natural logarithms of
        seconds. In silence, the positions in word and phrase are 0, and the word duration is that of the
        silence.
        """
        phones = list(phones)
        end_s = phones[-1].end_s if phones else 0.0
        if num_frames and frame_centres_s(num_frames)[-1] >= end_s:
            phones.append(TimedPhone(SILENCE, end_s, num_frames * FRAME_S + FRAME_S))
        starts_s = np.array([phone.start_s for phone in phones])
        ends_s = np.array([phone.end_s for phone in phones])
        silent = np.array([phone.is_silence for phone in phones])
        word_spans = _spans(phones, [p.word for p in phones])
        phrase_spans = _spans(phones, [p.phrase for p in phones])

        centres_s = frame_centres_s(num_frames)
        current = np.clip(np.searchsorted(starts_s, centres_s, side="right") - 1, 0, None)

        def position(spans_s: np.ndarray) -> np.ndarray:
            start_s, end_s = spans_s[current].T
            return np.clip((centres_s - start_s) / np.maximum(end_s - start_s, 1e-6), 0.0, 1.0)

        indices = np.array([self.phone_index(phone.phone) for phone in phones])
        width = self.context_width
        padded = np.pad(indices, width)  # silence on both sides of the utterance
        phone_spans = np.stack([starts_s, ends_s], axis=1)
        columns = {
            **{name: padded[current + offset] for offset, name in enumerate(self.phone_columns)},
            "stress": np.array([phone.stress for phone in phones])[current],
            "position_in_phone": position(phone_spans),
            "position_in_word": np.where(silent[current], 0.0, position(word_spans)),
            "position_in_phrase": np.where(silent[current], 0.0, position(phrase_spans)),
            "log_phone_duration": _log_duration(phone_spans)[current],
            "log_word_duration": _log_duration(word_spans)[current],
            **contours.columns(),
        }
        return np.stack([columns[name] for name in self.column_names], axis=1).astype(np.float32)


def _log_duration(spans_s: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(spans_s[:, 1] - spans_s[:, 0], 1e-3))


def _spans(phones: Sequence[TimedPhone], groups: Sequence[int]) -> np.ndarray:
    """Start and end (phones, 2) of the word or phrase of each phone; a silence is a group of its own."""
    spans: dict[int, tuple[float, float]] = {}
    for phone, group in zip(phones, groups, strict=True):
        if group >= 0:
            start_s, _ = spans.get(group, (phone.start_s, 0.0))
            spans[group] = (start_s, phone.end_s)
    return np.array(
        [spans.get(group, (phone.start_s, phone.end_s)) for phone, group in zip(phones, groups, strict=True)]
    )

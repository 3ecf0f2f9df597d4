"""Linguistic features: what a model is told about each 5 ms frame. ``docs/features.md`` describes the layout.

A corpus keeps *compact* frames, phone indices instead of one-hots, whose columns are
``FeatureLayout.columns``. A ``FeatureEncoder`` turns them into what nets read; its scalers are fitted on the
training split and travel with every checkpoint.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from wavegen.audio.glottal import cycles_from_f0, cycles_from_pulses
from wavegen.audio.pitch import PitchTrack, frame_centres_s
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.phones import EN_US_PHONES, SILENCE, UNKNOWN, TimedPhone

_NUM_STRESSES = 3
_SCALED = (
    "position_in_phone",
    "position_in_word",
    "position_in_phrase",
    "log_phone_duration",
    "log_word_duration",
    "log_f0",
)
_STD_FLOOR = 1e-2


@dataclass(frozen=True)
class FeatureLayout:
    """Which columns a compact frame has and which features it is encoded to.

    Args:
        phones: the inventory; index 0 is silence ``_`` and index 1 the unknown phone ``?``.
        context_width: how many phones before and after the current one are told.
    """

    phones: tuple[str, ...] = EN_US_PHONES
    context_width: int = 2

    def __post_init__(self) -> None:
        phones = tuple(self.phones)
        object.__setattr__(self, "phones", phones)
        if phones[:2] != (SILENCE, UNKNOWN) or len(set(phones)) != len(phones):
            raise UserError(
                f"a feature layout's phones must be distinct and start with _ and ?, got {phones[:4]} …"
            )
        if self.context_width < 0:
            raise UserError(f"a feature layout's context_width must be at least 0, got {self.context_width}")

    @cached_property
    def phone_columns(self) -> tuple[str, ...]:
        width = self.context_width
        return tuple(f"phone{offset:+d}" if offset else "phone" for offset in range(-width, width + 1))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the compact matrix's columns."""
        return (*self.phone_columns, "stress", *_SCALED[:-1], "log_f0", "voiced", "cycles")

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the encoded features, in order."""
        one_hots = tuple(f"{column}={phone}" for column in self.phone_columns for phone in self.phones)
        return (*one_hots, *(f"stress={stress}" for stress in range(_NUM_STRESSES)), *_SCALED, "voiced")

    @property
    def num_features(self) -> int:
        return len(self.feature_names)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that differ where layouts differ."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]

    def column(self, name: str) -> int:
        """Index of a compact column."""
        return self.columns.index(name)

    def phone_index(self, phone: str) -> int:
        """Index of ``phone``; that of ``?`` where the inventory does not hold it."""
        return self._indices.get(phone, self._indices[UNKNOWN])

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {phone: index for index, phone in enumerate(self.phones)}

    def to_dict(self) -> dict:
        return {
            "phones": list(self.phones),
            "context_width": self.context_width,
            "columns": list(self.columns),
        }

    @classmethod
    def from_dict(cls, data: Mapping) -> "FeatureLayout":
        """Inverse of ``to_dict``. Raises UserError where ``data`` is no layout that this version can read."""
        try:
            phones, width, columns = tuple(data["phones"]), data["context_width"], list(data["columns"])
            if not all(isinstance(phone, str) for phone in phones) or type(width) is not int:
                raise TypeError("phones must be strings and context_width a whole number")
            if not 0 <= width <= len(columns):
                raise TypeError(f"a context_width of {width} is not that of {len(columns)} columns")
        except (KeyError, TypeError) as error:
            raise UserError(f"malformed feature layout: {error!r}") from error
        layout = cls(phones, width)
        if columns != list(layout.columns):
            raise UserError(
                f"the feature layout has the columns {columns}, but this version of wavegen writes "
                f"{list(layout.columns)}"
            )
        return layout


def compact_frames(
    phones: Sequence[TimedPhone], num_frames: int, layout: FeatureLayout, pitch_track: PitchTrack
) -> np.ndarray:
    """Compact frames (num_frames, columns) float32 of one utterance.

    A frame belongs to the phone sounding at its centre; past the last phone it is silence. Positions run
    from 0 to 1 between the start and the end of the phone, word or phrase, durations are natural logs of
    seconds; where a frame is silence, positions in word and phrase are 0 and the word's duration is the
    silence's.
    """
    phones = list(phones)
    end_s = phones[-1].end_s if phones else 0.0
    if num_frames and frame_centres_s(num_frames)[-1] >= end_s:
        phones.append(TimedPhone(SILENCE, end_s, num_frames * 0.005 + 0.005))
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

    indices = np.array([layout.phone_index(phone.phone) for phone in phones])
    width = layout.context_width
    padded = np.pad(indices, width)  # silence on both sides of the utterance
    phone_spans = np.stack([starts_s, ends_s], axis=1)
    f0_hz, voiced, pulses_s = pitch_track.f0_hz, pitch_track.voiced, pitch_track.pulses_s
    if len(pulses_s):
        cycles = cycles_from_pulses(pulses_s, f0_hz, voiced, num_frames)
    else:
        cycles = cycles_from_f0(f0_hz)
    columns = {
        **{name: padded[current + offset] for offset, name in enumerate(layout.phone_columns)},
        "stress": np.array([phone.stress for phone in phones])[current],
        "position_in_phone": position(phone_spans),
        "position_in_word": np.where(silent[current], 0.0, position(word_spans)),
        "position_in_phrase": np.where(silent[current], 0.0, position(phrase_spans)),
        "log_phone_duration": _log_duration(phone_spans)[current],
        "log_word_duration": _log_duration(word_spans)[current],
        "log_f0": np.log(f0_hz),
        "voiced": voiced,
        "cycles": cycles,
    }
    return np.stack([columns[name] for name in layout.columns], axis=1).astype(np.float32)


def _log_duration(spans_s: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(spans_s[:, 1] - spans_s[:, 0], 1e-3))


def _spans(phones: Sequence[TimedPhone], groups: Sequence[int]) -> np.ndarray:
    """Start and end (phones, 2) of the word or phrase that each phone belongs to; a silence is its own."""
    spans: dict[int, tuple[float, float]] = {}
    for phone, group in zip(phones, groups, strict=True):
        if group >= 0:
            start_s, _ = spans.get(group, (phone.start_s, 0.0))
            spans[group] = (start_s, phone.end_s)
    return np.array(
        [spans.get(group, (phone.start_s, phone.end_s)) for phone, group in zip(phones, groups, strict=True)]
    )


class FeatureEncoder:
    """Compact frames → context of speech: one-hots and scaled numbers.

    Args:
        layout: of the compact frames.
        mean, std: (6,) of the numeric columns (positions, log durations, log F0), in the layout's order.
    """

    def __init__(self, layout: FeatureLayout, mean: Sequence[float], std: Sequence[float]):
        if len(mean) != len(_SCALED) or len(std) != len(_SCALED):
            raise UserError(
                f"a feature encoder needs {len(_SCALED)} means and deviations, got {len(mean)} and {len(std)}"
            )
        if not np.isfinite([*mean, *std]).all() or min(std) <= 0:
            raise UserError("a feature encoder's means must be finite and its deviations positive")
        self.layout = layout
        self.mean = torch.tensor([float(value) for value in mean], dtype=torch.float32)
        self.std = torch.tensor([float(value) for value in std], dtype=torch.float32)

    def __repr__(self) -> str:
        return f"FeatureEncoder({self.layout.num_features} features, layout {self.layout.digest})"

    @classmethod
    def fit(cls, layout: FeatureLayout, frames: Iterable[np.ndarray]) -> "FeatureEncoder":
        """Scalers of the training split: positions and durations outside silence, log F0 in voiced frames."""
        columns = [layout.column(name) for name in _SCALED]
        numbers, is_speech, is_voiced = [], [], []
        for matrix in frames:
            numbers.append(np.asarray(matrix)[:, columns].astype(np.float64))
            is_speech.append(matrix[:, layout.column("phone")] != 0)
            is_voiced.append(matrix[:, layout.column("voiced")] > 0.5)
        if not numbers:
            raise UserError("cannot fit a feature encoder: the training split holds no utterance")
        values, speech, voiced = np.concatenate(numbers), np.concatenate(is_speech), np.concatenate(is_voiced)
        mean, std = [], []
        for i, name in enumerate(_SCALED):
            chosen = voiced if name == "log_f0" else speech
            column = values[chosen, i] if chosen.any() else values[:, i]
            mean.append(float(column.mean()))
            std.append(float(max(column.std(), _STD_FLOOR)))
        return cls(layout, mean, std)

    def encode(self, frames: np.ndarray | torch.Tensor) -> SpeechContext:
        """Compact ``frames`` (frames, columns) → unbatched context of speech.

        Returns:
            ``features`` (num_features, frames), ``cycles`` (frames,) and ``voiced`` (frames,), all float32.

        Raises:
            UserError: another number of columns, or a phone index outside the inventory.
        """
        layout = self.layout
        frames = torch.as_tensor(frames, dtype=torch.float32)
        if frames.ndim != 2 or frames.shape[1] != len(layout.columns):
            raise UserError(
                f"frames of shape {tuple(frames.shape)} do not fit the feature layout, which has "
                f"{len(layout.columns)} columns"
            )
        phones = frames[:, : len(layout.phone_columns)].long()
        stress = frames[:, layout.column("stress")].long()
        if phones.numel() and not (0 <= int(phones.min()) and int(phones.max()) < len(layout.phones)):
            raise UserError(
                f"a phone index of {int(phones.min())} … {int(phones.max())} is outside the layout's "
                f"inventory of {len(layout.phones)} phones"
            )
        one_hots = torch.nn.functional.one_hot(phones, len(layout.phones)).flatten(1)
        stresses = torch.nn.functional.one_hot(stress.clamp(0, _NUM_STRESSES - 1), _NUM_STRESSES)
        numbers = frames[:, [layout.column(name) for name in _SCALED]]
        voiced = frames[:, layout.column("voiced")]
        features = torch.cat([one_hots, stresses, (numbers - self.mean) / self.std, voiced[:, None]], dim=1)
        cycles = frames[:, layout.column("cycles")].clone()
        return SpeechContext(features=features.T.contiguous(), cycles=cycles, voiced=voiced.clone())

    def to_dict(self) -> dict:
        return {
            "layout": self.layout.to_dict(),
            "scaled": list(_SCALED),
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping) -> "FeatureEncoder":
        """Inverse of ``to_dict``. Raises UserError where ``data`` is malformed."""
        try:
            layout, scaled, mean, std = (
                data["layout"],
                list(data["scaled"]),
                list(data["mean"]),
                list(data["std"]),
            )
            mean, std = [float(value) for value in mean], [float(value) for value in std]
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"malformed feature encoder: {error!r}") from error
        if scaled != list(_SCALED):
            raise UserError(
                f"the feature encoder scales {scaled}, but this version of wavegen scales {list(_SCALED)}"
            )
        return cls(FeatureLayout.from_dict(layout), mean, std)

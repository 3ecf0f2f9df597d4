"""The interface of prosody models."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np

from wavegen.errors import UserError
from wavegen.linguistics.contours import Contours
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.pronunciation import Pronunciation
from wavegen.untrusted.parts import check_part, is_json, short

AnyProsody = TypeVar("AnyProsody", bound="Prosody")


@dataclass(frozen=True)
class Plan:
    """The phones and the contours of an utterance to be spoken.

    Args:
        phones: without gaps from 0 s on, with the durations of the voice.
        num_frames: number of 5 ms frames.
        contours: F0, voicing and loudness of every frame.

    Raises:
        UserError: if there is no frame, not one value of F0, voicing and loudness for each, an F0 that is not
            finite and positive, or a loudness that is not finite.
    """

    phones: Sequence[TimedPhone]
    num_frames: int
    contours: Contours

    def __post_init__(self) -> None:
        whole = f"the prosody plans {self.num_frames} frames"
        if self.num_frames < 1:
            raise UserError(f"{whole}, expected at least one")
        pitch, loudness_db = self.contours.pitch, self.contours.loudness_db
        of_frames = {"f0_hz": pitch.f0_hz, "voiced": pitch.voiced, "loudness_db": loudness_db}
        for name, values in of_frames.items():
            shape = np.shape(values)
            if shape != (self.num_frames,):
                raise UserError(f"{whole} with {name} of the shape {shape}, expected ({self.num_frames},)")
        f0_hz = np.asarray(pitch.f0_hz)
        wrong = np.flatnonzero(~(np.isfinite(f0_hz) & (f0_hz > 0)))
        if len(wrong):
            raise UserError(
                f"{whole} with f0_hz={f0_hz[wrong[0]]:g} in frame {wrong[0]}, expected a finite F0 above 0, "
                "also where voiced is 0"
            )
        if not np.isfinite(loudness_db).all():
            raise UserError(f"{whole} with a loudness_db that is not finite, expected dB")


@runtime_checkable
class Prosody(Protocol):
    """Predicts durations, log F0 and loudness of phones.

    A prosody model is a frozen dataclass of plain settings and fitted values; a voice stores its description.
    It is fitted while a corpus is prepared: ``summarise`` processes one utterance in any process, ``fit`` the
    summaries of the training split. To add one, write a file with such a class here, and a configuration
    ``configs/prosody/NAME.yaml``, whose first line is ``# @package corpus.prosody``.
    """

    def plan(self, pronunciation: Pronunciation) -> Plan:
        """The phones and the contours with which the voice speaks the output of a front end."""
        ...

    def summarise(
        self, phones: Sequence[TimedPhone], contours: Contours, spoken: Pronunciation | None
    ) -> dict[str, Any]:
        """The information about one utterance that ``fit`` needs, JSON-compatible.

        Args:
            phones: of the recording.
            contours: of the recording.
            spoken: the front end's speech of the same text; None if the recording itself is that speech.
        """
        ...

    def fit(self, summaries: Iterable[dict[str, Any]]) -> Self:
        """The prosody of the voice of these utterances: ``dataclasses.replace`` with the fitted values."""
        ...


def summary_of(
    prosody: Prosody, phones: Sequence[TimedPhone], contours: Contours, spoken: Pronunciation | None
) -> dict[str, Any]:
    """``prosody.summarise``, after a check that its result can be written. Raises UserError if it cannot."""
    summary = prosody.summarise(phones, contours, spoken)
    whole = f"the summary of {type(prosody).__name__}"
    if not isinstance(summary, dict):
        raise UserError(f"{whole} is a {type(summary).__name__}, expected a dict of JSON values")
    for key, value in summary.items():
        if not (isinstance(key, str) and is_json(value)):
            kind = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
            raise UserError(f"{whole} has {key}={short(value)} ({kind}), expected a finite JSON value")
    return summary


def fitted(prosody: AnyProsody, summaries: Iterable[dict[str, Any]]) -> AnyProsody:
    """``prosody.fit``, after a check that its result is such a prosody. Raises UserError if it is not."""
    result = prosody.fit(summaries)
    if not isinstance(result, type(prosody)):
        name = type(prosody).__name__
        raise UserError(f"{name}.fit returned a {type(result).__name__}, expected a fitted {name}")
    check_part(result, Prosody, "prosody")
    return result

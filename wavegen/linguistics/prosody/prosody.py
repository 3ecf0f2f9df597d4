"""The interface of prosody models."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from wavegen.audio.pitch import PitchTrack
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.pronunciation import Pronunciation


@dataclass(frozen=True)
class Plan:
    """The phones and the pitch of an utterance to be spoken.

    Args:
        phones: without gaps from 0 s on, with the durations of the voice.
        num_frames: number of 5 ms frames.
        pitch: F0 and voicing of every frame.
    """

    phones: Sequence[TimedPhone]
    num_frames: int
    pitch: PitchTrack


@runtime_checkable
class Prosody(Protocol):
    """Predicts durations and log F0 of phones.

    A prosody model is a frozen dataclass of plain settings and fitted values; a voice stores its description.
    It is fitted while a corpus is prepared: ``summarise`` processes one utterance in any process, ``fit`` the
    summaries of the training split. To add one, write a file with such a class here, and a configuration
    ``configs/prosody/NAME.yaml``.
    """

    def plan(self, pronunciation: Pronunciation) -> Plan:
        """The phones and the pitch with which the voice speaks the output of a front end."""
        ...

    def summarise(
        self, phones: Sequence[TimedPhone], pitch: PitchTrack, spoken: Pronunciation | None
    ) -> dict[str, Any]:
        """The information about one utterance that ``fit`` needs, JSON-compatible.

        Args:
            phones: of the recording.
            pitch: of the recording.
            spoken: the front end's speech of the same text; None if the recording itself is that speech.
        """
        ...

    def fit(self, summaries: Iterable[dict[str, Any]]) -> Self:
        """The prosody of the voice of these utterances."""
        ...

"""What every model of prosody offers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from wavegen.audio.pitch import PitchTrack
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.pronunciation import Pronunciation


@dataclass(frozen=True)
class Plan:
    """How an utterance will be said.

    Args:
        phones: without gaps from 0 s on, as long as the voice will make them.
        num_frames: of 5 ms.
        pitch: F0 and voicing of every frame.
    """

    phones: Sequence[TimedPhone]
    num_frames: int
    pitch: PitchTrack


@runtime_checkable
class Prosody(Protocol):
    """From phones to durations and log F0.

    A prosody is a frozen dataclass of plain settings and of what was fitted; a voice carries its description.
    It is fitted while a corpus is prepared: ``summarise`` looks at one utterance in whichever process,
    ``fit`` at the summaries of the training part. To add one, write a file with such a class here, and a
    configuration ``configs/prosody/NAME.yaml``.
    """

    def plan(self, pronunciation: Pronunciation) -> Plan:
        """How the voice will say what a front end has read."""
        ...

    def summarise(
        self, phones: Sequence[TimedPhone], pitch: PitchTrack, spoken: Pronunciation | None
    ) -> dict[str, Any]:
        """What ``fit`` has to know of an utterance, as JSON.

        Args:
            phones: of the recording.
            pitch: of the recording.
            spoken: how the front end says the same text; None where the recording is just that.
        """
        ...

    def fit(self, summaries: Iterable[dict[str, Any]]) -> Self:
        """The prosody of the voice that these utterances are of."""
        ...

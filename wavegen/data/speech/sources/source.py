"""The interface of corpus sources."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.pronunciation import Pronunciation


class SkippedUtterance(Exception):
    """An utterance cannot be used; the message tells the user the reason."""


@dataclass(frozen=True)
class CorpusItem:
    """An utterance of a source, before its audio is read.

    Args:
        id: unique, and a plain file name (:func:`wavegen.data.speech.names.file_names`).
        text: the spoken text.
        stamp: changes when the recording changes, so that an outdated utterance is prepared again.
        name: the source's own name of it, if it has one.
    """

    id: str
    text: str
    stamp: str = ""
    name: str = ""


@dataclass(frozen=True)
class Rendition:
    """An utterance with audio and timings.

    Args:
        waveform: (samples,) float32 at ``sample_rate``.
        phones: contiguous, in seconds of ``waveform``.
        spoken: the front end's speech of the same text, from which a prosody starts; None if the waveform is
            that speech.
        notes: changes made to the audio, reported once for the whole corpus.
        estimated: whether the times are estimates, which models of the corpus's own phones can improve.
    """

    waveform: np.ndarray
    sample_rate: int
    phones: list[TimedPhone]
    spoken: Pronunciation | None = None
    notes: tuple[str, ...] = field(default=())
    estimated: bool = False


class CorpusSource(Protocol):
    """Utterances to prepare. Sources are sent to worker processes, so they have settings but no state."""

    name: str
    front_end: FrontEnd

    def settings(self) -> dict:
        """A JSON-compatible dictionary of all settings that determine the result."""
        ...

    def items(self) -> tuple[list[CorpusItem], dict[str, str]]:
        """All utterances in a fixed order, and the reasons for those already skipped, by id.

        Raises UserError if the source is missing.
        """
        ...

    def render(self, item: CorpusItem) -> Rendition:
        """The audio and the timings of one utterance. Raises SkippedUtterance."""
        ...

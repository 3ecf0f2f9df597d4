"""What a corpus can be made from."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.pronunciation import Pronunciation


class SkippedUtterance(Exception):
    """This utterance cannot be used; the message is the reason that the user reads."""


@dataclass(frozen=True)
class CorpusItem:
    """An utterance that a source offers, before its audio is looked at.

    Args:
        id: unique, and a plain file name (:func:`wavegen.data.speech.names.file_names`).
        text: what is said.
        stamp: changes when the utterance's origin does, so that a stale one is made again.
        name: what the source calls it, where it has names of its own.
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
        spoken: how the front end says the same text, which is what a prosody starts from; None where the
            waveform is just that.
        notes: what was done to the audio, to be said once for the whole corpus.
    """

    waveform: np.ndarray
    sample_rate: int
    phones: list[TimedPhone]
    spoken: Pronunciation | None = None
    notes: tuple[str, ...] = field(default=())


class CorpusSource(Protocol):
    """Utterances to prepare. Sources are sent to worker processes, so they hold settings and no state."""

    name: str
    front_end: FrontEnd

    def settings(self) -> dict:
        """What determines the result, as JSON; another value means another corpus."""
        ...

    def items(self) -> tuple[list[CorpusItem], dict[str, str]]:
        """All utterances in a fixed order, and by id the reasons for those left out at sight.

        Raises UserError where there is no source at all.
        """
        ...

    def render(self, item: CorpusItem) -> Rendition:
        """Audio and timings of one utterance. Raises SkippedUtterance."""
        ...

"""Timed phones, and a fixed inventory of American English phones in IPA.

All corpora that an English voice speaks or aligns share one feature layout through this inventory, so a model
can be moved from one corpus to another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

SILENCE = "_"
UNKNOWN = "?"

CONSONANTS = tuple("p b t d ɾ ʔ k ɡ tʃ dʒ f v θ ð s z ʃ ʒ h m n ŋ l ɹ j w".split())
VOWELS = tuple("iː i ɪ ɛ æ ʌ ə əl ɚ ɜː ɑː ɔː ʊ uː eɪ aɪ aɪɚ ɔɪ aʊ oʊ ɑːɹ ɔːɹ ɛɹ ɪɹ ʊɹ iə".split())

EN_US_PHONES: tuple[str, ...] = (SILENCE, UNKNOWN, *CONSONANTS, *VOWELS)
"""The fixed inventory. Silence has index 0; phones that are not in the inventory have index 1."""


@dataclass(frozen=True)
class TimedPhone:
    """One phone of an utterance with its position.

    Args:
        phone: its name in the inventory.
        start_s, end_s: in seconds from the start of the audio.
        stress: 0 none, 1 secondary, 2 primary.
        word, phrase: index within the utterance, from 0; −1 for silence, which belongs to neither.
    """

    phone: str
    start_s: float
    end_s: float
    stress: int = 0
    word: int = -1
    phrase: int = -1

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def is_silence(self) -> bool:
        return self.phone == SILENCE


def lengthen_short_phones(phones: Sequence[TimedPhone], min_s: float) -> list[TimedPhone]:
    """Moves boundaries, as little as possible, so that no phone is shorter than ``min_s``.

    Phones stay contiguous, and the first start and the last end do not move. If there is not enough time,
    ``min_s`` is reduced to the average duration. Front ends give phones of zero length where they merge two
    into one gesture (the ``l`` in "twelve").
    """
    if not phones:
        return []
    start, end = phones[0].start_s, phones[-1].end_s
    min_s = min(min_s, (end - start) / len(phones))
    ends = [phone.end_s for phone in phones]
    earliest = start
    for i in range(len(phones)):  # move boundaries later if a phone is too short …
        ends[i] = earliest = max(ends[i], earliest + min_s)
    latest = end
    for i in reversed(range(len(phones))):  # … and back if that exceeded the end
        ends[i] = min(ends[i], latest)
        latest = ends[i] - min_s
    starts = [start, *ends[:-1]]
    return [replace(p, start_s=s, end_s=e) for p, s, e in zip(phones, starts, ends, strict=True)]


def merge_silences(phones: Sequence[TimedPhone]) -> list[TimedPhone]:
    """Merges neighbouring silences into one."""
    merged: list[TimedPhone] = []
    for phone in phones:
        if merged and phone.is_silence and merged[-1].is_silence:
            merged[-1] = replace(merged[-1], end_s=phone.end_s)
        else:
            merged.append(phone)
    return merged


def mean_phone_duration_s(phones: Sequence[TimedPhone]) -> float:
    """Mean duration of the phones that are not silence; NaN if there are none."""
    durations = [phone.duration_s for phone in phones if not phone.is_silence]
    return sum(durations) / len(durations) if durations else float("nan")

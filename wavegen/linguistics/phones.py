"""Timed phones and the phone inventory of the English voices.

espeak names the phones of its ``en-us`` voice in an ASCII notation of its own (``I2``, ``t#``, ``o@``), with
several names for what is one sound to the listener (allophones that its rules tell apart). Here they
become one small fixed inventory in IPA, so that every corpus spoken or aligned with an English voice shares
a feature layout and a model can move from one to the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

SILENCE = "_"
UNKNOWN = "?"

CONSONANTS = tuple("p b t d ɾ ʔ k ɡ tʃ dʒ f v θ ð s z ʃ ʒ h m n ŋ l ɹ j w".split())
VOWELS = tuple("iː i ɪ ɛ æ ʌ ə əl ɚ ɜː ɑː ɔː ʊ uː eɪ aɪ aɪɚ ɔɪ aʊ oʊ ɑːɹ ɔːɹ ɛɹ ɪɹ ʊɹ iə".split())

EN_US_PHONES: tuple[str, ...] = (SILENCE, UNKNOWN, *CONSONANTS, *VOWELS)
"""The fixed inventory. Silence has index 0; whatever the inventory does not know has index 1."""

# Determined by letting the voice speak some 1,400 paragraphs of prose and documentation.
_FROM_ESPEAK = {
    **{name: name for name in "p b t d k f v s z h m n l j w i".split()},
    "t2": "t",
    "t#": "ɾ",
    "*": "ɾ",
    "?": "ʔ",
    "g": "ɡ",
    "x": "k",
    "tS": "tʃ",
    "dZ": "dʒ",
    "T": "θ",
    "D": "ð",
    "S": "ʃ",
    "Z": "ʒ",
    "n-": "n",
    "N": "ŋ",
    "r": "ɹ",
    "r-": "ɹ",
    "i:": "iː",
    "I": "ɪ",
    "I2": "ɪ",
    "I#": "ɪ",
    "E": "ɛ",
    "E2": "ɛ",
    "a": "æ",
    "aa": "æ",
    "V": "ʌ",
    "@": "ə",
    "@2": "ə",
    "@5": "ə",
    "@-": "ə",
    "a#": "ə",
    "@L": "əl",
    "3": "ɚ",
    "3:": "ɜː",
    "0": "ɑː",
    "0#": "ɑː",
    "A:": "ɑː",
    "A~": "ɑː",
    "O": "ɔː",
    "O2": "ɔː",
    "O:": "ɔː",
    "U": "ʊ",
    "u:": "uː",
    "u": "uː",
    "eI": "eɪ",
    "aI": "aɪ",
    "aI@": "aɪɚ",
    "aI3": "aɪɚ",
    "OI": "ɔɪ",
    "aU": "aʊ",
    "oU": "oʊ",
    "o:": "oʊ",
    "e": "eɪ",
    "A@": "ɑːɹ",
    "O@": "ɔːɹ",
    "o@": "ɔːɹ",
    "e@": "ɛɹ",
    "i@3": "ɪɹ",
    "i@": "iə",
    "U@": "ʊɹ",
}


@dataclass(frozen=True)
class TimedPhone:
    """One phone of an utterance and where it stands.

    Args:
        phone: its name in the inventory.
        start_s, end_s: in seconds from the start of the audio.
        stress: 0 none, 1 secondary, 2 primary.
        word, phrase: counted from 0 through the utterance; −1 in silence, which belongs to neither.
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


def normalise_phone(espeak_name: str) -> str | None:
    """Name in the inventory of the phone that espeak calls ``espeak_name`` (without its stress marks).

    ``None`` for names that are no sound: markers of language switching and palatalisation.
    """
    if espeak_name.startswith("_"):
        return SILENCE
    if espeak_name in ("", ";") or espeak_name.startswith("("):
        return None
    if espeak_name in _FROM_ESPEAK:
        return _FROM_ESPEAK[espeak_name]
    # An allophone of another English voice: its plain form usually exists.
    return _FROM_ESPEAK.get(espeak_name.rstrip("0123456789#-~;:.^"), UNKNOWN)


def lengthen_short_phones(phones: Sequence[TimedPhone], min_s: float) -> list[TimedPhone]:
    """Move boundaries, as little as possible, so that no phone is shorter than ``min_s``.

    Phones stay contiguous and the first start and last end stay where they are, so ``min_s`` shrinks to the
    average duration where there is no room for it. espeak gives phones of no length where it merges two into
    one gesture (the ``l`` in "twelve").
    """
    if not phones:
        return []
    start, end = phones[0].start_s, phones[-1].end_s
    min_s = min(min_s, (end - start) / len(phones))
    ends = [phone.end_s for phone in phones]
    earliest = start
    for i in range(len(phones)):  # push boundaries later where a phone is too short …
        ends[i] = earliest = max(ends[i], earliest + min_s)
    latest = end
    for i in reversed(range(len(phones))):  # … and back where that ran past the end
        ends[i] = min(ends[i], latest)
        latest = ends[i] - min_s
    starts = [start, *ends[:-1]]
    return [replace(p, start_s=s, end_s=e) for p, s, e in zip(phones, starts, ends, strict=True)]


def merge_silences(phones: Sequence[TimedPhone]) -> list[TimedPhone]:
    """Join neighbouring silences into one."""
    merged: list[TimedPhone] = []
    for phone in phones:
        if merged and phone.is_silence and merged[-1].is_silence:
            merged[-1] = replace(merged[-1], end_s=phone.end_s)
        else:
            merged.append(phone)
    return merged


def mean_phone_duration_s(phones: Sequence[TimedPhone]) -> float:
    """Mean duration of the phones that are not silence; NaN where there is none."""
    durations = [phone.duration_s for phone in phones if not phone.is_silence]
    return sum(durations) / len(durations) if durations else float("nan")

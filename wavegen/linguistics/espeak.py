"""Text → speech with phone timings, by espeak-ng through ctypes.

espeak-ng is GPL-3 and stays behind this one file. The library, its data and its voices come in the wheel of
``espeakng_loader``; nothing has to be installed on the machine.
"""

import _ctypes
import ctypes
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import espeakng_loader
import numpy as np

from wavegen.errors import UserError
from wavegen.linguistics.phones import TimedPhone, lengthen_short_phones, merge_silences, normalise_phone

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_PHONEME_EVENTS = 0x0001
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1  # alone: neither SSML (0x10) nor phoneme input in [[ ]] (0x100) is interpreted
_RATE, _PITCH = 1, 3
_EVENT_END_OF_LIST, _EVENT_WORD, _EVENT_END_OF_CLAUSE, _EVENT_PHONEME = 0, 1, 5, 7
_PRIMARY_STRESS, _SECONDARY_STRESS = "'ˈ", ",ˌ"
_SHORTEST_PHONE_S = 0.010
# What espeak makes a path of: two dots lead out of its data, a file that is no voice ends the process, and
# a long variant overflows a buffer.
_VOICE_NAME = re.compile(r"(?![/!])[\w' (),/-]{1,60}(\+[\w -]{0,30})?")


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of ``speak_lib.h``."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)

_lock = threading.Lock()


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # a fork taken while another thread speaks must not inherit a held lock
    os.register_at_fork(after_in_child=_renew_lock)


@dataclass(frozen=True)
class SpokenUtterance:
    """What the voice said: ``waveform`` (samples,) float32 in [−1, 1); phones without gaps from 0 s on."""

    waveform: np.ndarray
    sample_rate: int
    phones: list[TimedPhone]

    @property
    def duration_s(self) -> float:
        return len(self.waveform) / self.sample_rate


@dataclass(frozen=True)
class EspeakVoice:
    """A voice of espeak-ng: only its settings, so it can be sent to other processes.

    Every ``speak`` loads the library anew. Its flutter and noise generators carry state from one utterance
    to the next and no call resets them; loaded afresh (3 ms) the same text gives the same samples, whatever
    was said before, in whichever process.

    Args:
        voice: espeak's name, variants by plus sign (``en-us``, ``en-us+f3``).
        words_per_minute: speaking rate, 80 to 450.
        pitch: 0 to 99; 50 is the voice's own.

    Raises:
        UserError: a setting is out of its range, or ``voice`` no name.
    """

    voice: str = "en-us"
    words_per_minute: int = 165
    pitch: int = 50

    def __post_init__(self) -> None:
        if not (isinstance(self.voice, str) and _VOICE_NAME.fullmatch(self.voice)):
            raise UserError(
                f"the espeak voice {self.voice!r} is no name, expected one such as en-us or en-us+f3"
            )
        for name, least, most in (("words_per_minute", 80, 450), ("pitch", 0, 99)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise UserError(
                    f"the espeak voice's {name} is {value!r}, expected a whole number of {least} to {most}"
                )

    def speak(self, text: str) -> SpokenUtterance:
        """Say ``text`` as it stands: markup, braces and brackets are text like any other.

        Raises:
            UserError: the voice does not exist, or ``text`` holds nothing that it can pronounce.
        """
        # espeak takes control characters for commands embedded in the text; lone surrogates are no UTF-8.
        plain = "".join(
            " " if ord(character) < 32 or ord(character) == 127 else character for character in text
        )
        samples, events, sample_rate = self._synthesize(plain.encode("utf-8", errors="ignore"))
        phones = _timed_phones(events, len(samples), sample_rate)
        if all(phone.is_silence for phone in phones):
            raise UserError(
                f"the text {_quote(text)} holds nothing that the voice {self.voice!r} can pronounce"
            )
        return SpokenUtterance(samples.astype(np.float32) / 32768, sample_rate, phones)

    def _synthesize(self, text: bytes) -> tuple[np.ndarray, list[tuple[int, int, str]], int]:
        chunks: list[np.ndarray] = []
        events: list[tuple[int, int, str]] = []  # type, sample, phone name

        @_Callback
        def collect(samples, num_samples, event):
            if samples and num_samples > 0:
                chunks.append(np.ctypeslib.as_array(samples, (num_samples,)).copy())
            i = 0
            while event[i].type != _EVENT_END_OF_LIST:
                name = ""
                if event[i].type == _EVENT_PHONEME:
                    name = bytes(event[i].id.string).decode("utf-8", errors="ignore")
                events.append((event[i].type, event[i].sample, name))
                i += 1
            return 0

        with _lock, _fresh_library() as library:
            sample_rate = library.espeak_Initialize(
                _AUDIO_OUTPUT_SYNCHRONOUS,
                0,
                espeakng_loader.get_data_path().encode(),
                _INITIALIZE_PHONEME_EVENTS | _INITIALIZE_DONT_EXIT,
            )
            if sample_rate <= 0:
                raise UserError(
                    f"espeak-ng did not start with its data in {espeakng_loader.get_data_path()}; "
                    "reinstall the package espeakng-loader"
                )
            try:
                if library.espeak_SetVoiceByName(self.voice.encode()) != 0:
                    raise UserError(
                        f"espeak-ng has no voice {self.voice!r}; en-us and en-gb-x-rp are two that it has"
                    )
                library.espeak_SetSynthCallback(collect)
                library.espeak_SetParameter(_RATE, self.words_per_minute, 0)
                library.espeak_SetParameter(_PITCH, self.pitch, 0)
                library.espeak_Synth(
                    text + b"\0", ctypes.c_size_t(len(text) + 1), 0, 0, 0, _CHARS_UTF8, None, None
                )
            finally:
                library.espeak_Terminate()
        samples = np.concatenate(chunks) if chunks else np.zeros(0, np.int16)
        return samples, events, sample_rate


@contextmanager
def _fresh_library() -> Iterator[ctypes.CDLL]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        yield library
    finally:
        close = getattr(_ctypes, "dlclose", None) or _ctypes.FreeLibrary
        close(library._handle)


def _timed_phones(events: list[tuple[int, int, str]], num_samples: int, sample_rate: int) -> list[TimedPhone]:
    """Phone events say where a phone starts; it ends where the next one starts."""
    phones: list[TimedPhone] = []
    word, phrase = -1, 0
    phrase_has_phones = False
    for kind, sample, name in events:
        if kind == _EVENT_WORD:
            word += 1
        elif kind == _EVENT_END_OF_CLAUSE and phrase_has_phones:
            phrase, phrase_has_phones = phrase + 1, False
        elif kind == _EVENT_PHONEME:
            phone = normalise_phone(name.lstrip(_PRIMARY_STRESS + _SECONDARY_STRESS))
            if phone is None:
                continue
            marks = name[: len(name) - len(name.lstrip(_PRIMARY_STRESS + _SECONDARY_STRESS))]
            stress = 2 if any(m in _PRIMARY_STRESS for m in marks) else 1 if marks else 0
            start_s = min(sample, num_samples) / sample_rate
            timed = TimedPhone(phone, start_s, start_s, stress, max(word, 0), phrase)
            if timed.is_silence:
                timed = TimedPhone(phone, start_s, start_s)
            else:
                phrase_has_phones = True
            phones.append(timed)
    if not phones:
        return []
    if phones[0].start_s > 0:
        phones.insert(0, TimedPhone("_", 0.0, phones[0].start_s))
    starts = [phone.start_s for phone in phones] + [num_samples / sample_rate]
    phones = [
        TimedPhone(p.phone, s, e, p.stress, p.word, p.phrase)
        for p, s, e in zip(phones, starts[:-1], starts[1:], strict=True)
    ]
    phones = merge_silences([p for p in phones if not (p.is_silence and p.duration_s <= 0)])
    return lengthen_short_phones(phones, _SHORTEST_PHONE_S)


def _quote(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else text[:limit] + "…")

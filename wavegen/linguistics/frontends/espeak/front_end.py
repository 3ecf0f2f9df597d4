"""Text to speech with phone timings, by espeak-ng.

The wheel of ``espeakng_loader`` contains the library, its data and its voices, so nothing has to be installed
on the machine. espeak-ng runs in another process (``process.py``), because some texts crash it.
"""

import re
from dataclasses import asdict, dataclass

import numpy as np

from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak import child as espeak_child
from wavegen.linguistics.frontends.espeak.long_tokens import break_long_tokens
from wavegen.linguistics.frontends.espeak.phones import normalise_phone
from wavegen.linguistics.frontends.espeak.process import EspeakDied, EspeakProcess
from wavegen.linguistics.frontends.nothing_to_say import NothingToSay
from wavegen.linguistics.phones import TimedPhone, lengthen_short_phones, merge_silences
from wavegen.linguistics.pronunciation import Pronunciation
from wavegen.linguistics.scripts import scripts_of

_PRIMARY_STRESS, _SECONDARY_STRESS = "'ˈ", ",ˌ"
_SHORTEST_PHONE_S = 0.010
# espeak builds a path from the name: ".." would leave its data folder, a file that is not a voice ends the
# process, and a long variant overflows a buffer.
_VOICE_NAME = re.compile(r"(?![/!])[\w' (),/-]{1,60}(\+[\w -]{0,30})?")
# Per utterance. It needs 160 MB in espeak's process, and more in later training or synthesis.
_LONGEST_S = 3600.0

_process = EspeakProcess()


@dataclass(frozen=True)
class EspeakFrontEnd:
    """A voice of espeak-ng. It has only settings, so it can be sent to other processes.

    The same text gives the same samples, in any process and independently of earlier texts.

    Args:
        voice: espeak's name, variants after a plus sign (``en-us``, ``en-us+f3``).
        words_per_minute: speaking rate, 80 to 450.
        pitch: 0 to 99; 50 is the voice's default.

    Raises:
        UserError: a setting is out of range, or ``voice`` is not a valid name.
    """

    voice: str = "en-us"
    words_per_minute: int = 165
    pitch: int = 50

    def __post_init__(self) -> None:
        if not (isinstance(self.voice, str) and _VOICE_NAME.fullmatch(self.voice)):
            raise UserError(
                f"the espeak voice {self.voice!r} is not a valid name, expected one such as en-us or en-us+f3"
            )
        for name, least, most in (("words_per_minute", 80, 450), ("pitch", 0, 99)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise UserError(
                    f"the espeak voice's {name} is {value!r}, expected a whole number of {least} to {most}"
                )

    @property
    def scripts(self) -> frozenset[str]:
        """The scripts that the voice reads; letters of others are skipped, or spelt by their names."""
        return scripts_of(self.voice)

    def read(self, text: str) -> Pronunciation:
        """Speaks ``text`` literally: markup, braces and brackets have no special meaning.

        Raises:
            NothingToSay: if ``text`` contains nothing that the voice can pronounce.
            UserError: if the voice does not exist, or if ``text`` would take more than an hour or crashes
                espeak-ng.
        """
        # espeak interprets control characters as embedded commands.
        plain = "".join(
            " " if ord(character) < 32 or ord(character) == 127 else character for character in text
        )
        try:
            reply, samples = _process.ask(**asdict(self), text=break_long_tokens(plain), longest_s=_LONGEST_S)
        except EspeakDied as error:
            raise UserError(f"espeak-ng cannot speak the text {_quote(text)}: {error}") from error
        if "error" in reply:
            raise self._refusal(reply["error"], text)
        waveform = np.frombuffer(samples, np.int16).astype(np.float32) / 32768
        phones = _timed_phones(reply["events"], len(waveform), reply["sample_rate"])
        if all(phone.is_silence for phone in phones):
            raise NothingToSay(
                f"the text {_quote(text)} contains nothing that the voice {self.voice!r} can pronounce"
            )
        duration_s = len(waveform) / reply["sample_rate"]
        return Pronunciation(phones, duration_s, waveform, reply["sample_rate"])

    def _refusal(self, error: str, text: str) -> Exception:
        if error == espeak_child.NO_VOICE:
            return UserError(
                f"espeak-ng has no voice {self.voice!r}, expected one such as en-us or en-gb-x-rp"
            )
        if error == espeak_child.NO_DATA:
            return UserError("espeak-ng could not load its data; reinstall the package espeakng-loader")
        if error == espeak_child.TOO_LONG:
            minutes = f"{_LONGEST_S / 60:g} minutes"
            return UserError(f"the text {_quote(text)} takes more than {minutes} to say; speak it in parts")
        return RuntimeError(error)  # a bug, with the child's traceback


def _timed_phones(events: list[tuple[int, int, str]], num_samples: int, sample_rate: int) -> list[TimedPhone]:
    """Builds phones from phone events, which mark starts only: a phone ends where the next one starts."""
    phones: list[TimedPhone] = []
    word, phrase = -1, 0
    phrase_has_phones = False
    for kind, sample, name in events:
        if kind == espeak_child.EVENT_WORD:
            word += 1
        elif kind == espeak_child.EVENT_END_OF_CLAUSE and phrase_has_phones:
            phrase, phrase_has_phones = phrase + 1, False
        elif kind == espeak_child.EVENT_PHONEME:
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

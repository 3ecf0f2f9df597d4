"""The result of a front end: timed phones, and optionally synthetic speech."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wavegen.audio.pitch import FRAME_S
from wavegen.errors import UserError
from wavegen.linguistics.phones import SILENCE, TimedPhone, merge_silences

_GAP_S = 1e-6  # between phones; a corpus stores times to the microsecond
_LENGTH_S = FRAME_S  # between the ends of phones and waveform; a rounded length may differ by some samples


@dataclass(frozen=True)
class Pronunciation:
    """Phones with timing, and the front end's own synthetic speech if it produces sound.

    Args:
        phones: at least one, without gaps from 0 s to ``duration_s``, with the front end's own timing.
        duration_s: total duration in seconds.
        waveform: ``(samples,)`` float32 in [−1, 1], the front end's speech of that duration; None if it
            produces no sound.
        sample_rate: of the waveform, Hz.

    Raises:
        UserError: naming the front end's mistake, if the phones have gaps (1 µs), a stress other than 0, 1
            and 2, or another duration (5 ms); if the waveform is not as described, or of another duration.
    """

    phones: Sequence[TimedPhone]
    duration_s: float
    waveform: np.ndarray | None = None
    sample_rate: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.duration_s < np.inf:
            raise UserError(f"the front end's duration_s is {self.duration_s}, expected seconds above 0")
        _check_phones(self.phones, self.duration_s)
        if self.waveform is not None and self.sample_rate is not None:
            _check_waveform(self.waveform, self.sample_rate, self.duration_s)
        elif self.waveform is not None or self.sample_rate is not None:
            missing = "waveform" if self.waveform is None else "sample_rate"
            raise UserError(f"the front end gave no {missing}, expected waveform and sample_rate or neither")

    def require_sound(self, purpose: str) -> tuple[np.ndarray, int]:
        """Waveform and sample rate in Hz. Raises UserError if there is no waveform."""
        if self.waveform is None or self.sample_rate is None:
            raise UserError(f"{purpose} needs a front end that produces sound, but this one does not")
        return self.waveform, self.sample_rate

    def with_final_pause(self, pause_s: float) -> "Pronunciation":
        """The same speech with ``pause_s`` seconds of silence after it."""
        if not pause_s:
            return self
        end_s = self.duration_s + pause_s
        phones = [*self.phones, TimedPhone(SILENCE, self.phones[-1].end_s, end_s)]
        waveform = self.waveform
        if waveform is not None and self.sample_rate is not None:
            missing = round(end_s * self.sample_rate) - len(waveform)
            waveform = np.pad(waveform, (0, max(0, missing)))
        return replace(self, phones=merge_silences(phones), duration_s=end_s, waveform=waveform)


def _check_phones(phones: Sequence[TimedPhone], duration_s: float) -> None:
    if not phones:
        raise UserError("the front end gave no phones, expected at least one or a UserError for the text")
    end_s = 0.0
    for number, phone in enumerate(phones):
        place = f"the front end's phone {number} ({phone.phone})"
        if not abs(phone.start_s - end_s) <= _GAP_S:
            before = "where the one before it ends" if number else "where the speech starts"
            raise UserError(f"{place} starts at {phone.start_s:.9g} s, expected {end_s:.9g} s, {before}")
        if not phone.end_s >= phone.start_s - _GAP_S:
            raise UserError(f"{place} ends at {phone.end_s:.9g} s, expected no earlier than it starts")
        if phone.stress not in (0, 1, 2):
            raise UserError(f"{place} has the stress {phone.stress!r}, expected 0, 1 or 2")
        end_s = phone.end_s
    if not abs(end_s - duration_s) <= _LENGTH_S:
        raise UserError(f"the front end's phones end at {end_s:.9g} s, expected its {duration_s=:.9g}")


def _check_waveform(waveform: np.ndarray, sample_rate: int, duration_s: float) -> None:
    if not isinstance(waveform, np.ndarray) or waveform.dtype not in (np.float32, np.float64):
        kind = getattr(waveform, "dtype", type(waveform).__name__)
        raise UserError(f"the front end's waveform is of the type {kind}, expected an array of float32")
    if waveform.ndim != 1:
        raise UserError(f"the front end's waveform has the shape {waveform.shape}, expected (samples,)")
    if not (isinstance(sample_rate, int | np.integer) and sample_rate > 0):
        raise UserError(f"the front end's sample_rate is {sample_rate!r}, expected a whole number of Hz")
    length_s = len(waveform) / sample_rate
    if not abs(length_s - duration_s) <= _LENGTH_S:
        raise UserError(
            f"the front end's waveform lasts {length_s:.9g} s at {sample_rate} Hz, expected its "
            f"{duration_s=:.9g}"
        )
    low, high = waveform.min(initial=0.0), waveform.max(initial=0.0)
    if not (low >= -1 and high <= 1):
        raise UserError(f"the front end's waveform goes from {low:.6g} to {high:.6g}, expected -1 to 1")

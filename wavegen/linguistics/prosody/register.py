"""The front end's own prosody, adapted to the pitch range, speaking rate and loudness of a voice."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from wavegen.audio.pitch import (
    FRAME_S,
    PitchTrack,
    PitchTracker,
    PraatPitch,
    frame_centres_s,
    frames_in,
    whole_frames_in,
)
from wavegen.errors import UserError
from wavegen.linguistics.contours import Contours, contours_of
from wavegen.linguistics.phones import TimedPhone, mean_phone_duration_s
from wavegen.linguistics.pronunciation import Pronunciation
from wavegen.linguistics.prosody.loudness_map import LoudnessMap, loudness_sums
from wavegen.linguistics.prosody.prosody import Plan

_MIN_STD = 1e-2
_WHISPER = (float(np.log(120.0)), 0.1)  # mean and standard deviation of log F0 if nothing is voiced


@dataclass(frozen=True)
class RegisterProsody:
    """Maps F0 log-linearly, loudness phone by phone, and multiplies durations by the ratio of speaking rates.

    A log F0 of ``spoken mean + k · spoken std`` in the front end's speech becomes ``mean + k · std``. Without
    fitted values, nothing is changed. Glottal cycles are integrated from the mapped F0, because
    there are no pulses to count.

    Args:
        pitch: tracker for the front end's speech.
        loudness: map of its loudness contour.
        log_f0_mean, log_f0_std: of log F0 in Hz, over voiced frames of the training split.
        phone_duration_s: mean over phones that are not silence.
        spoken_log_f0_mean, spoken_log_f0_std, spoken_phone_duration_s: the same for the front end's speech.

    Raises:
        UserError: if a value is not finite.
    """

    pitch: PitchTracker = field(default_factory=PraatPitch)
    log_f0_mean: float | None = None
    log_f0_std: float | None = None
    phone_duration_s: float | None = None
    spoken_log_f0_mean: float | None = None
    spoken_log_f0_std: float | None = None
    spoken_phone_duration_s: float | None = None
    loudness: LoudnessMap = field(default_factory=LoudnessMap)

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise UserError(f"the prosody's {one.name} is {value}, expected a finite number")

    def plan(self, pronunciation: Pronunciation) -> Plan:
        """Raises UserError if the front end produces no sound from which pitch could be tracked."""
        waveform, sample_rate = pronunciation.require_sound("a voice with RegisterProsody")
        spoken_frames = max(1, frames_in(pronunciation.duration_s))
        spoken = contours_of(waveform, sample_rate, spoken_frames, self.pitch)
        track = spoken.pitch
        ratio = self.duration_ratio
        phones = [replace(p, start_s=p.start_s * ratio, end_s=p.end_s * ratio) for p in pronunciation.phones]
        num_frames = max(1, frames_in(pronunciation.duration_s * ratio))
        centres_s = frame_centres_s(num_frames) / ratio  # in the front end's time
        spoken_centres_s = frame_centres_s(spoken_frames)
        log_f0 = np.interp(centres_s, spoken_centres_s, np.log(track.f0_hz))
        loudness_db = self.loudness(spoken.loudness_db, pronunciation.phones)
        nearest = np.clip((centres_s / FRAME_S).astype(int), 0, spoken_frames - 1)
        pitch = PitchTrack(np.exp(self.map_log_f0(log_f0)), track.voiced[nearest])
        contours = Contours(pitch, np.interp(centres_s, spoken_centres_s, loudness_db))
        return Plan(phones, num_frames, contours)

    def map_log_f0(self, log_f0: np.ndarray) -> np.ndarray:
        """Maps ``log_f0`` (any shape) to the pitch range of the voice."""
        mean, std = self.log_f0_mean, self.log_f0_std
        spoken_mean, spoken_std = self.spoken_log_f0_mean, self.spoken_log_f0_std
        if mean is None or std is None or spoken_mean is None or spoken_std is None:
            return log_f0
        lively = std / max(spoken_std, _MIN_STD)
        return mean + lively * (log_f0 - spoken_mean)

    @property
    def duration_ratio(self) -> float:
        """The factor on the front end's durations, within [½, 2]."""
        if self.phone_duration_s is None or self.spoken_phone_duration_s is None:
            return 1.0
        return float(np.clip(self.phone_duration_s / self.spoken_phone_duration_s, 0.5, 2.0))

    def summarise(
        self, phones: Sequence[TimedPhone], contours: Contours, spoken: Pronunciation | None
    ) -> dict[str, Any]:
        """Moments of log F0 and loudness, phone durations: of the recording, of the front end's speech."""
        # In the precision in which a corpus stores it.
        pitch = contours.pitch
        log_f0 = np.log(pitch.f0_hz).astype(np.float32)[pitch.voiced > 0.5].astype(np.float64)
        summary: dict[str, Any] = {
            "log_f0": moments(log_f0),
            "phone_duration_s": mean_phone_duration_s(phones),
            "loudness": loudness_sums(contours.loudness_db, phones),
        }
        if spoken is None:
            spoken_contours, spoken_phones = contours, phones
        else:
            waveform, sample_rate = spoken.require_sound("RegisterProsody")
            num_frames = whole_frames_in(spoken.duration_s)
            spoken_contours = contours_of(waveform, sample_rate, num_frames, self.pitch)
            spoken_phones = spoken.phones
        spoken_pitch = spoken_contours.pitch
        voiced = spoken_pitch.voiced > 0.5
        return summary | {
            "spoken_log_f0": moments(np.log(spoken_pitch.f0_hz[voiced])),
            "spoken_loudness": loudness_sums(spoken_contours.loudness_db, spoken_phones),
            "spoken_phone_duration_s": mean_phone_duration_s(spoken_phones),
        }

    def fit(self, summaries: Iterable[dict[str, Any]]) -> "RegisterProsody":
        """Fits pitch range, speaking rate and loudness of these utterances and of the front end's speech."""
        summaries = list(summaries)
        values: dict[str, Any] = {}
        for prefix in ("", "spoken_"):
            mean, std = _mean_std([summary[f"{prefix}log_f0"] for summary in summaries])
            values |= {f"{prefix}log_f0_mean": mean, f"{prefix}log_f0_std": std}
            name = f"{prefix}phone_duration_s"
            values[name] = float(np.mean([summary[name] for summary in summaries]))
        spoken_sums, recorded_sums = (
            [summary[name] for summary in summaries] for name in ("spoken_loudness", "loudness")
        )
        return replace(self, loudness=LoudnessMap.fit(recorded_sums, spoken_sums), **values)


def moments(values: np.ndarray) -> list[float]:
    """Count, sum and sum of squares."""
    return [float(len(values)), float(values.sum()), float(np.square(values).sum())]


def _mean_std(of: list[list[float]]) -> tuple[float, float]:
    count, total, squares = np.sum(of, axis=0)
    if count == 0:
        return _WHISPER
    mean = total / count
    return float(mean), float(np.sqrt(max(squares / count - mean**2, 1e-6)))

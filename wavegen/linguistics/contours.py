"""The contours of an utterance: pitch and loudness of every frame."""

from dataclasses import dataclass, replace

import numpy as np

from wavegen.audio.closures import aligned_closures
from wavegen.audio.glottal import cycles_from_f0, cycles_from_pulses
from wavegen.audio.loudness import loudness_db
from wavegen.audio.pitch import PitchTrack, PitchTracker, frame_centres_s


@dataclass(frozen=True)
class Contours:
    """Pitch and loudness at the centres of 5 ms frames: measured in a recording, or planned by a prosody.

    Args:
        pitch: F0 and voicing, ``(frames,)`` each, and glottal pulses if they are known.
        loudness_db: level of each frame in dB relative to full scale, ``(frames,)``; see
            :func:`~wavegen.audio.loudness.loudness_db`.
    """

    pitch: PitchTrack
    loudness_db: np.ndarray

    @classmethod
    def of_columns(cls, columns: np.ndarray) -> "Contours":
        """From the columns ``(frames, 4)`` in which compact frames end; glottal pulses are not among them."""
        log_f0, voiced, _, loudness_db = columns.T.astype(np.float64)
        return cls(PitchTrack(np.exp(log_f0), voiced), loudness_db)

    def columns(self) -> dict[str, np.ndarray]:
        """Values by name of column; cycles come from glottal pulses if the track has any."""
        f0_hz, voiced, pulses_s = self.pitch.f0_hz, self.pitch.voiced, self.pitch.pulses_s
        if len(pulses_s):
            cycles = cycles_from_pulses(pulses_s, f0_hz, voiced, len(f0_hz))
        else:
            cycles = cycles_from_f0(f0_hz)
        return {
            "log_f0": np.log(f0_hz),
            "voiced": voiced,
            "cycles": cycles,
            "loudness_db": self.loudness_db,
        }


def contours_of(waveform: np.ndarray, sample_rate: int, num_frames: int, pitch: PitchTracker) -> Contours:
    """The contours of a recording ``(samples,)``; the tracker's pulses are moved to the glottal closures."""
    track = pitch(waveform, sample_rate, num_frames)
    periods_s = 1 / np.interp(track.pulses_s, frame_centres_s(num_frames), track.f0_hz)
    track = replace(track, pulses_s=aligned_closures(waveform, sample_rate, track.pulses_s, periods_s))
    return Contours(track, loudness_db(waveform, sample_rate, num_frames))

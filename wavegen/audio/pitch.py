"""Pitch trackers: fundamental frequency, voicing and glottal pulses at the centres of 5 ms frames."""

import math
from dataclasses import dataclass, field

import librosa
import numpy as np

from wavegen.errors import UserError

FRAME_S = 0.005
_ROUNDING = 1e-6  # of a frame; far above the rounding errors of an hour, far below the 1e-3 of a sample
_WINDOW_PERIODS = 3  # Praat's window is three periods of the lowest pitch


@dataclass(frozen=True)
class PitchTrack:
    """Pitch of ``num_frames`` frames of 5 ms, at the frame centres (n + ½) · 5 ms.

    Args:
        f0_hz: (num_frames,) > 0, log-linearly interpolated over unvoiced frames and constant at both ends.
        voiced: (num_frames,) in {0, 1}.
        pulses_s: (pulses,) ascending times of glottal closure; empty if the tracker gives none.
    """

    f0_hz: np.ndarray
    voiced: np.ndarray
    pulses_s: np.ndarray = field(default_factory=lambda: np.zeros(0))


def frames_in(duration_s: float) -> int:
    """Number of 5 ms frames that cover ``duration_s``; a multiple of 5 ms has no frame more by rounding."""
    return math.ceil(duration_s / FRAME_S - _ROUNDING)


def whole_frames_in(duration_s: float) -> int:
    """Number of 5 ms frames that ``duration_s`` covers; a multiple of 5 ms has no frame less by rounding."""
    return math.floor(duration_s / FRAME_S + _ROUNDING)


def frame_centres_s(num_frames: int) -> np.ndarray:
    """Times (num_frames,) of the frame centres."""
    return (np.arange(num_frames) + 0.5) * FRAME_S


def interpolate_log_f0(f0: np.ndarray, voiced: np.ndarray, default_hz: float = 120.0) -> np.ndarray:
    """log F0 (frames,): linear over unvoiced frames, constant before the first and after the last voiced one.

    ``f0`` in Hz is read in voiced frames only. If no frame is voiced, the result is ``log(default_hz)``.
    """
    voiced = np.asarray(voiced) > 0.5
    if not voiced.any():
        return np.full(len(voiced), np.log(default_hz))
    frames = np.arange(len(voiced))
    return np.interp(frames, frames[voiced], np.log(np.asarray(f0, np.float64)[voiced]))


@dataclass(frozen=True)
class PraatPitch:
    """Praat's autocorrelation tracker (Boersma 1993), with the glottal pulses of "To PointProcess (cc)".

    Uses ``praat-parselmouth``, which is licensed under the GPL 3; :class:`PyinPitch` avoids it.

    Raises:
        UserError: unless 1 ≤ min_hz < max_hz.
    """

    min_hz: float = 60.0
    max_hz: float = 400.0

    def __post_init__(self) -> None:
        _check_range(self)

    def __call__(self, waveform: np.ndarray, sample_rate: int, num_frames: int) -> PitchTrack:
        """Tracks ``waveform`` (samples,). Raises UserError if parselmouth is not installed."""
        try:
            import parselmouth
        except ImportError as error:
            raise UserError(
                "the Praat pitch tracker needs the package praat-parselmouth: install it, "
                "or choose wavegen.audio.pitch.PyinPitch for the key pitch"
            ) from error
        # Praat does not analyse half a window at both ends; padding with silence moves that part outside.
        pad = round(_WINDOW_PERIODS / self.min_hz * sample_rate)
        sound = parselmouth.Sound(np.pad(waveform.astype(np.float64), pad), sampling_frequency=sample_rate)
        pitch = sound.to_pitch_ac(time_step=FRAME_S, pitch_floor=self.min_hz, pitch_ceiling=self.max_hz)
        times_s, f0_hz = pitch.xs() - pad / sample_rate, pitch.selected_array["frequency"]
        pulses = parselmouth.praat.call([sound, pitch], "To PointProcess (cc)")
        num_pulses = int(parselmouth.praat.call(pulses, "Get number of points"))
        found = [parselmouth.praat.call(pulses, "Get time from index", i + 1) for i in range(num_pulses)]
        pulses_s = np.asarray(found, np.float64) - pad / sample_rate
        pulses_s = pulses_s[(pulses_s >= 0) & (pulses_s < num_frames * FRAME_S)]
        return _at_frame_centres(times_s, f0_hz, f0_hz > 0, num_frames, pulses_s)


@dataclass(frozen=True)
class PyinPitch:
    """Probabilistic YIN (Mauch & Dixon 2014) by librosa: slower, without pulses, permissive licence.

    Raises:
        UserError: unless 1 ≤ min_hz < max_hz.
    """

    min_hz: float = 60.0
    max_hz: float = 400.0

    def __post_init__(self) -> None:
        _check_range(self)

    def __call__(self, waveform: np.ndarray, sample_rate: int, num_frames: int) -> PitchTrack:
        """Tracks ``waveform`` (samples,)."""
        frame_length = 1 << int(np.ceil(np.log2(_WINDOW_PERIODS * sample_rate / self.min_hz)))
        f0_hz, voiced, _ = librosa.pyin(
            waveform.astype(np.float64),
            fmin=self.min_hz,
            fmax=self.max_hz,
            sr=sample_rate,
            frame_length=frame_length,
            hop_length=max(1, round(FRAME_S * sample_rate)),
            fill_na=0.0,
        )
        times_s = np.arange(len(f0_hz)) * FRAME_S
        return _at_frame_centres(times_s, f0_hz, voiced, num_frames, np.zeros(0))


PitchTracker = PraatPitch | PyinPitch


def _check_range(tracker: PitchTracker) -> None:
    if not 1 <= tracker.min_hz < tracker.max_hz < np.inf:  # three periods of silence are added at both ends
        raise UserError(
            f"a pitch tracker needs 1 <= min_hz < max_hz, got min_hz={tracker.min_hz:g} and "
            f"max_hz={tracker.max_hz:g}"
        )


def _at_frame_centres(
    times_s: np.ndarray, f0_hz: np.ndarray, is_voiced: np.ndarray, num_frames: int, pulses_s: np.ndarray
) -> PitchTrack:
    """Takes voicing from the nearest estimate, and log F0 from the two surrounding voiced estimates."""
    centres_s = frame_centres_s(num_frames)
    if not np.any(is_voiced):
        f0 = np.exp(interpolate_log_f0(np.zeros(num_frames), np.zeros(num_frames)))
        return PitchTrack(f0, np.zeros(num_frames), pulses_s)
    # Estimates are evenly spaced; rounding avoids ties that depend on floating-point errors.
    step_s = times_s[1] - times_s[0] if len(times_s) > 1 else FRAME_S
    nearest = np.clip(np.round((centres_s - times_s[0]) / step_s - 1e-6), 0, len(times_s) - 1).astype(int)
    log_f0 = np.interp(centres_s, times_s[is_voiced], np.log(f0_hz[is_voiced]))
    return PitchTrack(np.exp(log_f0), is_voiced[nearest].astype(np.float64), pulses_s)

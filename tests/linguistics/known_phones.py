"""Phones of a few frames, and their compact frames."""

import numpy as np

from wavegen.audio.pitch import PitchTrack
from wavegen.linguistics.contours import Contours
from wavegen.linguistics.phone_layout import PhoneLayout
from wavegen.linguistics.phones import TimedPhone

LAYOUT = PhoneLayout()


PHONES = [
    TimedPhone("_", 0.0, 0.010),
    TimedPhone("k", 0.010, 0.020, 0, 0, 0),
    TimedPhone("æ", 0.020, 0.040, 2, 0, 0),
    TimedPhone("t", 0.040, 0.050, 0, 0, 0),
    TimedPhone("s", 0.050, 0.060, 0, 1, 0),
    TimedPhone("nonsense", 0.060, 0.070, 1, 1, 0),
    TimedPhone("_", 0.070, 0.080),
]


def track(num_frames: int) -> Contours:
    f0 = np.linspace(100, 120, num_frames)
    pitch = PitchTrack(f0, (np.arange(num_frames) % 2).astype(float))
    return Contours(pitch, np.linspace(-60, -20, num_frames))


def column(frames: np.ndarray, name: str) -> np.ndarray:
    return frames[:, LAYOUT.column(name)]

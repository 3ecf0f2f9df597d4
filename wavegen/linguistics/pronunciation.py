"""The result of a front end: timed phones, and optionally synthetic speech."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavegen.errors import UserError
from wavegen.linguistics.phones import TimedPhone


@dataclass(frozen=True)
class Pronunciation:
    """Phones with timing, and the front end's own synthetic speech if it produces sound.

    Args:
        phones: without gaps from 0 s on, with the front end's own timing.
        duration_s: total duration in seconds.
        waveform: ``(samples,)`` float32 in [−1, 1), the front end's speech; None if it produces no sound.
        sample_rate: of the waveform, Hz.
    """

    phones: Sequence[TimedPhone]
    duration_s: float
    waveform: np.ndarray | None = None
    sample_rate: int | None = None

    def require_sound(self, purpose: str) -> tuple[np.ndarray, int]:
        """Waveform and sample rate in Hz. Raises UserError if there is no waveform."""
        if self.waveform is None or self.sample_rate is None:
            raise UserError(f"{purpose} needs a front end that produces sound, but this one does not")
        return self.waveform, self.sample_rate

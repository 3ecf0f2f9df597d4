"""What a front end makes of a text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavegen.errors import UserError
from wavegen.linguistics.phones import TimedPhone


@dataclass(frozen=True)
class Pronunciation:
    """Phones with timing, and how the front end itself says them, where it does.

    Args:
        phones: without gaps from 0 s on, in the front end's own timing.
        duration_s: of the whole, in seconds.
        waveform: ``(samples,)`` float32 in [−1, 1), as the front end says it; None where it only writes.
        sample_rate: of the waveform, Hz.
    """

    phones: Sequence[TimedPhone]
    duration_s: float
    waveform: np.ndarray | None = None
    sample_rate: int | None = None

    def require_sound(self, purpose: str) -> tuple[np.ndarray, int]:
        """Waveform and sample rate in Hz. Raises UserError where there is no waveform."""
        if self.waveform is None or self.sample_rate is None:
            raise UserError(f"{purpose} needs a front end that speaks, but this one only writes")
        return self.waveform, self.sample_rate

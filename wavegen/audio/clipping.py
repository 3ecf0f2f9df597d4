"""How much of a recording is clipped."""

import numpy as np

_NEAR = 0.999  # of the largest magnitude: a decoder of a lossy format spreads the level of clipped samples


def clipped_share(waveform: np.ndarray) -> float:
    """Share of the samples ``(samples,)`` that lie in a run of two or more at the largest magnitude.

    A natural peak has one sample there, or a few in a row of a low tone; a recording that was too loud for
    its converter has many. The level at which it was clipped does not matter. A silent waveform has 0.

    Example:
        >>> import numpy as np
        >>> sine = np.sin(np.arange(1000) / 10)
        >>> round(clipped_share(sine), 2), round(clipped_share(np.clip(sine, -0.5, 0.5)), 2)
        (0.0, 0.67)
    """
    magnitude = np.abs(waveform)
    peak = magnitude.max(initial=0.0)
    if peak == 0:
        return 0.0
    at_peak = magnitude >= _NEAR * peak
    in_run = at_peak.copy()
    in_run[1:] &= at_peak[:-1]
    in_run[:-1] |= at_peak[:-1] & at_peak[1:]
    in_run[0] &= len(at_peak) > 1 and at_peak[1]
    return float(in_run.mean())

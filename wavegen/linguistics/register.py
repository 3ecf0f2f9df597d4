"""How high, how lively and how fast a voice speaks, and how to bring espeak's prosody there."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from wavegen.errors import UserError

_MIN_STD = 1e-2


@dataclass(frozen=True)
class VoiceRegister:
    """Register and rate of a voice, beside those of the espeak voice saying the same text.

    The mapping is log-linear: a log F0 that espeak speaks at ``spoken mean + k · spoken std`` becomes
    ``mean + k · std``. Without the spoken values it is the identity.

    Args:
        log_f0_mean, log_f0_std: of log F0 in Hz, over voiced frames of the training split.
        phone_duration_s: mean over phones that are not silence.
        spoken_log_f0_mean, spoken_log_f0_std, spoken_phone_duration_s: the same of espeak's rendition.
    """

    log_f0_mean: float
    log_f0_std: float
    phone_duration_s: float | None = None
    spoken_log_f0_mean: float | None = None
    spoken_log_f0_std: float | None = None
    spoken_phone_duration_s: float | None = None

    def map_log_f0(self, log_f0: np.ndarray) -> np.ndarray:
        """Move espeak's ``log_f0`` (any shape) into the voice's register."""
        if self.spoken_log_f0_mean is None or self.spoken_log_f0_std is None:
            return log_f0
        lively = self.log_f0_std / max(self.spoken_log_f0_std, _MIN_STD)
        return self.log_f0_mean + lively * (log_f0 - self.spoken_log_f0_mean)

    @property
    def duration_ratio(self) -> float:
        """By what espeak's durations are multiplied, within [½, 2]."""
        if self.phone_duration_s is None or self.spoken_phone_duration_s is None:
            return 1.0
        return float(np.clip(self.phone_duration_s / self.spoken_phone_duration_s, 0.5, 2.0))

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping) -> "VoiceRegister":
        """Inverse of ``to_dict``. Raises UserError where ``data`` is malformed."""
        try:
            register = cls(**{key: None if value is None else float(value) for key, value in data.items()})
            values = [value for value in asdict(register).values() if value is not None]
            if not all(
                math.isfinite(value) for value in [register.log_f0_mean, register.log_f0_std, *values]
            ):
                raise ValueError("a value is not finite")
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"malformed voice register: {error}") from error
        return register

"""Temperatures of a sampler: one number, or one for voiced frames and one for others."""

import math
from dataclasses import dataclass

from torch import Tensor

from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.nets.conditioning import entry


@dataclass(frozen=True)
class VoicedTemperature:
    """A temperature that depends on voicing.

    An autoregressive model that is trained on true pasts adds noise to its own past at every sample. In
    voiced frames, a temperature below 1 leaves more of the periodicity that it predicts. In unvoiced frames
    the noise is the sound.

    Args:
        voiced, unvoiced: temperatures of the samples of voiced frames and of others, at least 0.
        hop_samples: samples per frame.

    Raises:
        UserError: if a temperature is negative, infinite or NaN.
    """

    voiced: float
    unvoiced: float
    hop_samples: int

    def __post_init__(self) -> None:
        if not (0 <= self.voiced < math.inf and 0 <= self.unvoiced < math.inf):
            raise UserError(
                f"a temperature must be at least 0 and finite, got {self.voiced:g} (voiced) and "
                f"{self.unvoiced:g}"
            )

    def of_samples(self, context: SpeechContext | None, num_samples: int) -> Tensor:
        """The temperature of every sample, ``(batch, num_samples)``.

        Raises:
            UserError: if the context has no entry ``voiced``.
        """
        voiced = entry(context, "voiced").float()
        frames = self.unvoiced + (self.voiced - self.unvoiced) * voiced
        return frames.repeat_interleave(self.hop_samples, 1)[:, :num_samples]


Temperature = float | VoicedTemperature


def temperature_of_samples(
    temperature: Temperature, context: SpeechContext | None, num_samples: int
) -> float | Tensor:
    """The number, or the temperature of every sample, ``(batch, num_samples)``."""
    if isinstance(temperature, VoicedTemperature):
        return temperature.of_samples(context, num_samples)
    return temperature

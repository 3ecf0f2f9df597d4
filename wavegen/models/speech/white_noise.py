"""The base of flows that generate speech: white noise."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.distributions.precision import open_unit_interval
from wavegen.linguistics.context import SpeechContext

Family = Callable[[Tensor, Tensor], Normal | Logistic]
"""``family(loc, log_scale)`` builds a distribution: the class ``Logistic`` or ``Normal``."""


class WhiteNoise(nn.Module):
    """Independent noise of one family, as long as the utterance.

    ``forward(context)`` gives the noise of ``frames * hop_samples`` samples.
    """

    origin: Tensor

    def __init__(self, family: Family, hop_samples: int) -> None:
        super().__init__()
        self.family, self.hop_samples = family, hop_samples
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def forward(self, context: SpeechContext) -> Distribution:
        zeros = self.origin.expand(context.num_frames * self.hop_samples)
        return Independent(self.family(zeros, zeros), 1)

    def draw(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """Noise by inversion of the CDF: float32 on this module's device.

        With a CPU generator, the same seed gives the same noise on every device.
        """
        device = self.origin.device
        uniform = torch.rand(shape, generator=generator, device=generator.device if generator else device)
        uniform = open_unit_interval(uniform.to(device))
        return self.family(self.origin, self.origin).icdf(uniform)

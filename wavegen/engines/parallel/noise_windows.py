"""Draws a student's white noise block by block."""

from collections.abc import Iterator

import torch
from torch import Tensor

from wavegen.models.speech.protocols import ParallelModel

NOISE_SAMPLES = 4096
"""Samples per draw. It does not depend on the block size, so that the noise of a sample does not either."""


class NoiseWindows:
    """White noise ``(batch, num_samples)`` of a student's base distribution, in blocks.

    The noise of sample t depends on the generator, the batch size and ``num_samples``, not on the block size.
    Up to ``NOISE_SAMPLES`` samples it equals ``student.noise((batch, num_samples), generator)``.

    Args:
        student: defines the distribution.
        batch_size, num_samples: shape of the noise.
        generator: source of the noise; None for torch's own.
        temperature: scales the noise.
    """

    def __init__(
        self,
        student: ParallelModel,
        batch_size: int,
        num_samples: int,
        generator: torch.Generator | None,
        temperature: float,
    ) -> None:
        self.student, self.batch_size, self.num_samples = student, batch_size, num_samples
        self.generator, self.temperature = generator, temperature

    def blocks(self, block_samples: int) -> Iterator[Tensor]:
        """All the noise in blocks ``(batch, block_samples)``, the last one shorter. Call it once only."""
        held = self._draw(0)
        drawn = held.shape[1]
        for begin in range(0, self.num_samples, block_samples):
            size = min(block_samples, self.num_samples - begin)
            while held.shape[1] < size:
                more = self._draw(drawn)
                drawn += more.shape[1]
                held = torch.cat([held, more], 1)
            yield held[:, :size]
            held = held[:, size:]

    def _draw(self, begin: int) -> Tensor:
        shape = (self.batch_size, min(NOISE_SAMPLES, self.num_samples - begin))
        return self.student.noise(shape, self.generator) * self.temperature

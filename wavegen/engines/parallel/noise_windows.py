"""A student's white noise, drawn as time goes on."""

from collections.abc import Iterator

import torch
from torch import Tensor

from wavegen.models.speech.protocols import ParallelModel

NOISE_SAMPLES = 4096
"""Samples that are drawn at a time whatever block is asked for, so that every time keeps its noise."""


class NoiseWindows:
    """White noise ``(batch, num_samples)`` of a student's family, a block at a time.

    The noise of sample t depends on the generator, the batch and ``num_samples`` only, not on the blocks.
    Up to ``NOISE_SAMPLES`` samples it is ``student.noise((batch, num_samples), generator)``.

    Args:
        student: whose family.
        batch_size, num_samples: how much.
        generator: source of the noise; None for torch's own.
        temperature: scales it.
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
        """All of it, ``(batch, block_samples)`` at a time, the last one shorter. To be asked for once."""
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

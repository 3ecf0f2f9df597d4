"""Speech that is ready to be synthesised, whole or block by block."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wavegen.linguistics.context import SpeechContext
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sequential import SequentialSampler


def noise_seed(seed: int, index: int) -> int:
    """The seed of the noise of a text's sentence of that index, ``seed`` itself for the first one."""
    return seed if index == 0 else int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint32)[0])


@dataclass(frozen=True)
class Speech:
    """A text with its sampler and conditioning. Its duration is known, but nothing has been synthesised yet.

    Attributes:
        sampler: of the voice's student or teacher.
        context: batched conditioning of one utterance.
        num_samples, sample_rate: of the waveform.
        seed: of the noise.
        shows_progress: whether a teacher shows a bar in a terminal.
    """

    sampler: ParallelSampler | SequentialSampler
    context: SpeechContext
    num_samples: int
    sample_rate: int
    seed: int
    shows_progress: bool = True

    @property
    def duration_s(self) -> float:
        """Duration of the waveform, in seconds."""
        return self.num_samples / self.sample_rate

    def whole(self) -> Tensor:
        """The waveform, ``(samples,)``; neither rounded nor clipped."""
        lengths = torch.tensor([self.num_samples])
        return self.sampler.sample(self.context, lengths, **self._options())[0]

    def blocks(self, block_samples: int | None = None) -> Iterator[Tensor]:
        """The same waveform in blocks ``(samples,)`` as they are computed; bit-identical to ``whole``.

        Args:
            block_samples: of a block of a student; None for the sampler's default. A teacher has its own.
        """
        options = self._options()
        if isinstance(self.sampler, ParallelSampler):
            options["block_samples"] = block_samples
        for block in self.sampler.stream(self.context, self.num_samples, **options):
            yield block[0]

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"generator": torch.Generator().manual_seed(self.seed)}
        if isinstance(self.sampler, SequentialSampler):
            options["progress"] = self.shows_progress and sys.stderr.isatty()
        return options

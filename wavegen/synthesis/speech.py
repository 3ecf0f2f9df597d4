"""Speech that is ready to be synthesised: whole into a file, or block by block to standard output."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wavegen.audio.waveform import stream_waveform, write_waveform
from wavegen.linguistics.context import SpeechContext
from wavegen.standard_output import is_standard_output, standard_output
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sequential import SequentialSampler


@dataclass(frozen=True)
class Speech:
    """A text with its sampler and conditioning. Its duration is known, but nothing has been synthesised yet.

    Attributes:
        sampler: of the voice's student or teacher.
        context: batched conditioning of one utterance.
        num_samples, sample_rate: of the waveform.
        seed: of the noise.
    """

    sampler: ParallelSampler | SequentialSampler
    context: SpeechContext
    num_samples: int
    sample_rate: int
    seed: int

    @property
    def duration_s(self) -> float:
        """Duration of the waveform, in seconds."""
        return self.num_samples / self.sample_rate

    def whole(self) -> Tensor:
        """The waveform, ``(samples,)``; neither rounded nor clipped."""
        lengths = torch.tensor([self.num_samples])
        return self.sampler.sample(self.context, lengths, **self._options())[0]

    def blocks(self) -> Iterator[Tensor]:
        """The same waveform in blocks ``(samples,)`` as they are computed; bit-identical to ``whole``."""
        for block in self.sampler.stream(self.context, self.num_samples, **self._options()):
            yield block[0]

    def write(self, output: str) -> None:
        """Write a 16-bit WAV file to ``output``; ``-`` is standard output, written block by block.

        Raises:
            UserError: of :func:`write_waveform` and :func:`standard_output`.
            SystemExit: if the reader of standard output has closed it.
        """
        if is_standard_output(output):
            with standard_output() as file:
                stream_waveform(file, self.blocks(), self.num_samples, self.sample_rate)
        else:
            write_waveform(output, self.whole(), self.sample_rate)

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"generator": torch.Generator().manual_seed(self.seed)}
        if isinstance(self.sampler, SequentialSampler):
            options["progress"] = sys.stderr.isatty()
        return options

"""An utterance on its way to the ear: whole in a file, or block by block on standard output."""

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
    """A text that a sampler is about to speak: how long it will be is known, and nothing is spoken yet.

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
        """Of the waveform, in seconds."""
        return self.num_samples / self.sample_rate

    def whole(self) -> Tensor:
        """The waveform, ``(samples,)``; neither rounded nor clipped."""
        lengths = torch.tensor([self.num_samples])
        return self.sampler.sample(self.context, lengths, **self._options())[0]

    def blocks(self) -> Iterator[Tensor]:
        """The same waveform as it is spoken, in blocks ``(samples,)``, bit for bit."""
        for block in self.sampler.stream(self.context, self.num_samples, **self._options()):
            yield block[0]

    def write(self, output: str) -> None:
        """Into the 16-bit WAV file ``output``; ``-`` is standard output, where it sounds block by block.

        Raises:
            UserError: as of :func:`write_waveform` and :func:`standard_output`.
            SystemExit: where whoever read standard output has gone.
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

"""A text that is analysed, spoken and written sentence by sentence, in memory that does not grow with it."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from torch import Tensor
from tqdm import tqdm

from wavegen.audio.waveform import stream_waveform, write_blocks
from wavegen.errors import UserError
from wavegen.interruption import raise_if_interrupted
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.frontends.nothing_to_say import NothingToSay
from wavegen.runs.voice import Voice
from wavegen.standard_output import is_standard_output, standard_output
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sentences import Piece
from wavegen.synthesis.sequential import SequentialSampler
from wavegen.synthesis.speech import Speech, noise_seed

FILE_BLOCK_SAMPLES = 8192
"""Samples of a block of a student that goes to a file, where nobody waits for the first one."""


@dataclass(frozen=True)
class SpokenText:
    """The sentences of a text with the sampler that speaks them; nothing has been computed yet.

    Sentences that contain nothing to pronounce are left out.

    Attributes:
        voice: whose front end and prosody analyse the text.
        sampler: of one of the voice's models.
        pieces: the sentences, in order.
        seed: of the noise.

    Raises:
        UserError: if the seed is not a whole number from 0 to 2⁶³ − 1.
    """

    voice: Voice
    sampler: ParallelSampler | SequentialSampler
    pieces: Sequence[Piece]
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise UserError(f"seed must be a whole number of at least 0, got {self.seed!r}")

    def speeches(self) -> Iterator[Speech]:
        """The sentences one by one, each analysed when it is requested.

        Raises:
            UserError: of the front end, for a sentence; NothingToSay if there is nothing to pronounce in any.
        """
        refusal: NothingToSay | None = NothingToSay("the text is empty, expected words")
        for index, (text, pause_s) in enumerate(self.pieces):
            try:
                context, plan = self.voice.analysis.analyse(text, pause_s=pause_s)
            except NothingToSay as error:
                refusal = refusal and error
                continue
            refusal = None
            yield Speech(
                self.sampler,
                SpeechContext.collate([context]),
                plan.num_frames * self.voice.hop_samples,
                self.voice.sample_rate,
                noise_seed(self.seed, index),
                shows_progress=len(self.pieces) == 1,
            )
        if refusal is not None:
            raise refusal

    def write(self, output: str) -> float:
        """Write the speech to a file, WAV or FLAC by its ending, or as WAV to standard output, ``-``.

        A sentence is written before the next one is analysed. A file gets its name when it is complete. The
        header of a stream of several sentences states no length, because it is not known.

        Returns:
            the duration of the speech, in seconds.

        Raises:
            UserError: of :meth:`speeches`, and if the output cannot be written.
            SystemExit: if the reader of standard output has closed it.
        """
        speeches = self.speeches()
        first = next(speeches)  # what cannot be spoken at all is found before anything is written
        samples = first.num_samples

        def blocks() -> Iterator[Tensor]:
            nonlocal samples
            hidden = len(self.pieces) == 1 or not sys.stderr.isatty()
            with tqdm(desc="speaking", unit="sentence", total=len(self.pieces), disable=hidden) as bar:
                for index, speech in enumerate(chain([first], speeches)):
                    samples += speech.num_samples if index else 0
                    yield from speech.blocks(None if is_stream else FILE_BLOCK_SAMPLES)
                    bar.update()
                    raise_if_interrupted()

        is_stream = is_standard_output(output)
        if is_stream:
            known = samples if len(self.pieces) == 1 else None
            with standard_output() as file:
                stream_waveform(file, blocks(), known, self.voice.sample_rate)
        else:
            write_blocks(output, blocks(), self.voice.sample_rate)
        return samples / self.voice.sample_rate

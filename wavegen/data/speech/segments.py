"""Training segments: random excerpts of a corpus, each preceded by a receptive field of real samples."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.utterance_draws import utterance_draws
from wavegen.errors import UserError
from wavegen.interruption import leave_signals_to_main
from wavegen.linguistics.context import SpeechContext
from wavegen.runtime import prepare_process


@dataclass(frozen=True)
class Batch:
    """Waveforms ``(batch, time)``, their context, and the mask of scored samples ``(batch, time)`` bool."""

    waveform: Tensor
    context: SpeechContext
    mask: Tensor

    def to(self, device: torch.device) -> "Batch":
        return Batch(
            self.waveform.to(device),
            self.context.to(device),
            self.mask.to(device),
        )


class SegmentStream(IterableDataset):
    """An endless stream of batches; batch ``n`` depends only on ``(seed, rank, n)``.

    A resumed run, given its first batch number, therefore sees the same batches as an uninterrupted run, for
    any number of workers. A segment starts at a frame boundary. It includes the ``past_samples`` before it,
    rounded up to frames, which are conditioned on but not scored. If an utterance has less past, the window
    starts with the utterance. Further frames of features at the end provide the lookahead of the model.
    Utterances are drawn with probability proportional to their length, as ``utterance_draws`` says.

    Args:
        corpus: the prepared corpus.
        split: ``train`` or ``dev``.
        segment_samples: scored samples, a whole number of frames.
        past_samples: receptive field to include.
        batch_size: segments per batch.
        lookahead_frames: frames of features after the segment; 1 for the upsampling.
        seed: of the run.
        first_batch: number of the first batch, the global step of a resumed run.
        rank: of the process in distributed training.
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        split: str,
        segment_samples: int,
        past_samples: int,
        batch_size: int,
        seed: int,
        lookahead_frames: int = 1,
        first_batch: int = 0,
        rank: int = 0,
    ) -> None:
        super().__init__()
        hop = corpus.hop_samples
        if segment_samples <= 0 or segment_samples % hop:
            raise UserError(
                f"segment_samples must be a positive multiple of the {hop} samples of a frame, "
                f"got {segment_samples}"
            )
        self.corpus, self.encoder, self.hop_samples = corpus, corpus.encoder, hop
        self.segment_frames = segment_samples // hop
        self.past_frames = -(-past_samples // hop)
        self.lookahead_frames = lookahead_frames
        self.batch_size, self.seed, self.rank, self.first_batch = batch_size, seed, rank, first_batch
        self.draws = utterance_draws(
            corpus, split, batch_frames=batch_size * self.segment_frames, seed=seed, rank=rank
        )

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        start, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        index = self.first_batch + start
        while True:
            yield self.batch(index)
            index += stride

    def batch(self, index: int) -> Batch:
        """The batch with number ``index``."""
        rng = np.random.default_rng([self.seed, self.rank, index])
        segments = [self.segment(rng, index) for _ in range(self.batch_size)]
        return Batch(
            waveform=torch.stack([segment[0] for segment in segments]),
            context=SpeechContext.collate([segment[1] for segment in segments]),
            mask=torch.stack([segment[2] for segment in segments]),
        )

    def segment(self, rng: np.random.Generator, index: int) -> tuple[Tensor, SpeechContext, Tensor]:
        """A segment of the batch with number ``index``."""
        audio, frames = self.draws.draw(rng, index)
        # Any start such that the utterance contains the segment; a shorter utterance starts at 0.
        start = int(rng.integers(0, max(len(frames) - self.segment_frames, 0) + 1))
        # Near its start, the window begins with the utterance, so that the nets see their own zero padding
        # as in synthesis. The window length does not change; samples after the segment are not scored.
        first = max(start - self.past_frames, 0)
        num_frames = self.past_frames + self.segment_frames
        # After the end of the utterance, its last frame is repeated; samples there are zero and not scored.
        wanted = np.arange(first, first + num_frames + self.lookahead_frames).clip(max=len(frames) - 1)
        hop = self.hop_samples
        waveform = np.zeros(num_frames * hop, dtype=np.float32)
        present = audio[first * hop : (first + num_frames) * hop]
        waveform[: len(present)] = present
        scored_end = min(start + self.segment_frames, len(frames))
        mask = np.zeros(len(waveform), dtype=bool)
        mask[(start - first) * hop : (scored_end - first) * hop] = True
        return torch.from_numpy(waveform), self.encoder.encode(frames[wanted]), torch.from_numpy(mask)


def segment_loader(stream: SegmentStream, num_workers: int) -> DataLoader:
    """A loader of whole batches."""
    return DataLoader(
        stream,
        batch_size=None,
        num_workers=num_workers,
        worker_init_fn=_begin_worker,
        persistent_workers=num_workers > 0,
    )


def _begin_worker(number: int) -> None:
    leave_signals_to_main()
    prepare_process()

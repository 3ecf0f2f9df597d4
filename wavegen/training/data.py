"""Lightning data modules: segments of a corpus, or only the number of the step."""

import itertools
from collections.abc import Iterator
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader, IterableDataset

from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.segments import Batch, SegmentStream, segment_loader

DEV_SEED = 1  # dev segments are the same in every run, so that runs are comparable


class SegmentData(lightning.LightningDataModule):
    """Training segments that are a function of (seed, step), and a fixed set of dev segments.

    Args:
        corpus: the prepared corpus.
        segment_s: scored length of a segment, rounded to whole frames.
        past_samples: context before each segment: the receptive field.
        lookahead_frames: frames of features after each segment.
        batch_size: segments per batch and process.
        seed: of the run.
        num_workers: loader processes; 0 loads between steps.
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        segment_s: float,
        past_samples: int,
        batch_size: int,
        seed: int,
        lookahead_frames: int = 1,
        num_workers: int = 1,
    ) -> None:
        super().__init__()
        self.corpus, self.seed, self.num_workers = corpus, seed, num_workers
        self.stream: dict[str, Any] = {
            "corpus": corpus,
            "segment_samples": max(1, round(segment_s * corpus.sample_rate / corpus.hop_samples))
            * corpus.hop_samples,
            "past_samples": past_samples,
            "batch_size": batch_size,
            "lookahead_frames": lookahead_frames,
        }

    def train_dataloader(self) -> DataLoader:
        assert self.trainer is not None
        # A resumed trainer has already restored its step, so the stream continues from there.
        num_batches = self.trainer.global_step * self.trainer.accumulate_grad_batches
        stream = SegmentStream(
            **self.stream,
            split="train",
            seed=self.seed,
            first_batch=num_batches,
            rank=self.trainer.global_rank,
        )
        return segment_loader(stream, self.num_workers)

    def val_dataloader(self) -> DataLoader:
        return segment_loader(SegmentStream(**self.stream, split="dev", seed=DEV_SEED), 0)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)


class StepNumbers(lightning.LightningDataModule):
    """0, 1, 2, …: for objectives that draw their own samples."""

    def train_dataloader(self) -> DataLoader:
        return DataLoader(Counting(), batch_size=None)


class Counting(IterableDataset):
    def __iter__(self) -> Iterator[int]:
        return itertools.count()

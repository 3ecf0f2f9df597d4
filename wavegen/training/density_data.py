"""The Lightning data module of images and tables: a training batch is a function of (seed, step)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from wavegen.data.images.image_set import ImageSet
from wavegen.data.tables import TableSet


@dataclass
class Batch:
    """Events as stored (uint8 images, float32 rows) and their labels, None for unlabelled data."""

    x: Tensor
    labels: Tensor | None

    def to(self, device: torch.device) -> "Batch":
        return replace(
            self, x=self.x.to(device), labels=None if self.labels is None else self.labels.to(device)
        )


class ShuffledBatches(IterableDataset):
    """An endless stream of batches: each epoch has the training part in a new random order.

    Batch n contains the entries from n · batch_size · num_processes on of the concatenated orders. The order
    of epoch e is drawn from (seed, e). The stream can start at any batch, so that a resumed run equals an
    uninterrupted one.
    """

    def __init__(
        self,
        x: Tensor,
        labels: Tensor | None,
        *,
        batch_size: int,
        seed: int,
        first_batch: int = 0,
        rank: int = 0,
        num_processes: int = 1,
    ) -> None:
        self.x, self.labels, self.batch_size, self.seed = x, labels, batch_size, seed
        self.first_batch, self.rank, self.num_processes = first_batch, rank, num_processes
        self._order: tuple[int, Tensor] | None = None

    def __iter__(self) -> Iterator[Batch]:
        number = self.first_batch
        while True:
            yield self.batch(number)
            number += 1

    def batch(self, number: int) -> Batch:
        start = (number * self.num_processes + self.rank) * self.batch_size
        indices = torch.stack([self._index(start + offset) for offset in range(self.batch_size)])
        return Batch(self.x[indices], None if self.labels is None else self.labels[indices])

    def _index(self, position: int) -> Tensor:
        epoch, place = divmod(position, len(self.x))
        if self._order is None or self._order[0] != epoch:
            entropy = int(np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
            order = torch.randperm(len(self.x), generator=torch.Generator().manual_seed(entropy))
            self._order = epoch, order
        return self._order[1][place]


class DensityData(lightning.LightningDataModule):
    """Training batches that are a function of (seed, step), and the dev part in its stored order.

    Args:
        data: images or a table.
        batch_size: events per batch and process.
        seed: of the run.
    """

    def __init__(self, *, data: ImageSet | TableSet, batch_size: int, seed: int) -> None:
        super().__init__()
        self.data, self.batch_size, self.seed = data, batch_size, seed

    def labels(self, part: str) -> Tensor | None:
        return None if self.data.labels is None else self.data.labels[part]

    def train_dataloader(self) -> DataLoader:
        assert self.trainer is not None
        # A resumed trainer has already restored its step, so the stream continues from there.
        num_batches = self.trainer.global_step * self.trainer.accumulate_grad_batches
        stream = ShuffledBatches(
            self.data.train,
            self.labels("train"),
            batch_size=self.batch_size,
            seed=self.seed,
            first_batch=num_batches,
            rank=self.trainer.global_rank,
            num_processes=self.trainer.world_size,
        )
        return DataLoader(stream, batch_size=None)

    def val_dataloader(self) -> DataLoader:
        batches = list(in_order(self.data.dev, self.labels("dev"), self.batch_size))
        return DataLoader(cast(Dataset[Batch], batches), batch_size=None)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch.to(device)


def in_order(x: Tensor, labels: Tensor | None, batch_size: int) -> Iterator[Batch]:
    """All events once, in their stored order."""
    for start in range(0, len(x), batch_size):
        part = slice(start, start + batch_size)
        yield Batch(x[part], None if labels is None else labels[part])

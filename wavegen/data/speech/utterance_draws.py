"""Which utterance a training segment comes from: any one, or one of a window that moves through shards."""

from typing import Protocol

import numpy as np
from lhotse import MonoCut

from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.shards import Shards, num_frames_of
from wavegen.errors import UserError

WINDOW_SHARDS = 8
_Data = tuple[np.ndarray, np.ndarray]  # samples and compact frames
_CACHE_BYTES = 2**29


class UtteranceDraws(Protocol):
    def draw(self, rng: np.random.Generator, batch: int) -> _Data:
        """Samples and compact frames of an utterance of batch number ``batch``, drawn by its length.

        A function of the state of ``rng`` and of ``batch`` alone.
        """
        ...


class AnyUtterance:
    """Draws from all utterances of a part; what was read is cached, up to half a gigabyte per process.

    Raises:
        UserError: if the part has no utterances.
    """

    def __init__(self, corpus: Corpus, split: str) -> None:
        self.corpus, self.cuts = corpus, list(corpus.cuts(split))
        if not self.cuts:
            raise UserError(f"the corpus has no utterances in the split '{split}', expected at least one")
        durations = np.array([cut.duration for cut in self.cuts])
        self.probability = durations / durations.sum()
        self._cache: dict[int, _Data] = {}
        self._cached_bytes = 0

    def draw(self, rng: np.random.Generator, batch: int) -> _Data:
        number = int(rng.choice(len(self.cuts), p=self.probability))
        if number not in self._cache:
            pair = self.corpus.load(self.cuts[number])
            size = pair[0].nbytes + pair[1].nbytes
            if self._cached_bytes + size > _CACHE_BYTES:
                return pair
            self._cache[number] = pair
            self._cached_bytes += size
        return self._cache[number]


class ShardWindow:
    """Draws from a window of the shards, which are put in a new random order for each epoch.

    The shards of an epoch, in its order, form a ring of frames. Batch n draws from the ``WINDOW_SHARDS`` mean
    shards' frames from n · ``batch_frames`` on. So each frame of the corpus is in the windows of equally many
    batches of an epoch, and an utterance is drawn in proportion to its length. Only the shards that overlap
    the window are in memory. The order is a function of (seed, rank, epoch), so that a batch is one of
    (seed, rank, number), and every process sees all shards.

    Args:
        corpus: a corpus whose training part is in ``shards``.
        shards: of the training part.
        batch_frames: scored frames of a batch.
        seed: of the run.
        rank: of the process in distributed training.
    """

    def __init__(self, corpus: Corpus, shards: Shards, *, batch_frames: int, seed: int, rank: int) -> None:
        self.corpus, self.shards, self.batch_frames = corpus, shards, batch_frames
        self.seed, self.rank = seed, rank
        self.sizes = np.array([frames for _, frames in shards.sizes])
        self.total = int(self.sizes.sum())
        self.window = min(self.total, WINDOW_SHARDS * -(-self.total // len(self.sizes)))
        self._order: tuple[int, np.ndarray, np.ndarray] | None = None
        self._resident: dict[int, tuple[list[MonoCut | _Data], np.ndarray]] = {}

    def draw(self, rng: np.random.Generator, batch: int) -> _Data:
        epoch, start = divmod(batch * self.batch_frames, self.total)
        order, ends = self._ring(epoch)
        frame = (start + int(rng.integers(self.window))) % self.total
        place = int(np.searchsorted(ends, frame, side="right"))
        shard = int(order[place])
        if shard not in self._resident:
            self._keep_only(self._overlapping(epoch, start))
            cuts = self.shards.read(shard)
            self._resident[shard] = list(cuts), np.cumsum([num_frames_of(cut) for cut in cuts])
        entries, cut_ends = self._resident[shard]
        within = frame - (int(ends[place]) - int(self.sizes[shard]))
        number = int(np.searchsorted(cut_ends, within, side="right"))
        entry = entries[number]
        if isinstance(entry, tuple):
            return entry
        entries[number] = data = self.corpus.load(entry)  # in place of the cut, which holds its file
        return data

    def _ring(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The shards in the order of an epoch, and the frame at which each of them ends."""
        if self._order is None or self._order[0] != epoch:
            order = np.random.default_rng([self.seed, self.rank, epoch]).permutation(len(self.sizes))
            self._order = epoch, order, np.cumsum(self.sizes[order])
        return self._order[1:]

    def _overlapping(self, epoch: int, start: int) -> set[int]:
        order, ends = self._ring(epoch)
        twice = np.concatenate([ends, ends + self.total])
        first, last = np.searchsorted(twice, [start, start + self.window - 1], side="right")
        return {int(order[place % len(order)]) for place in range(first, last + 1)}

    def _keep_only(self, shards: set[int]) -> None:
        self._resident = {number: kept for number, kept in self._resident.items() if number in shards}


def utterance_draws(corpus: Corpus, split: str, *, batch_frames: int, seed: int, rank: int) -> UtteranceDraws:
    """From the shards of a part if it has some, else from all of its utterances."""
    shards = corpus.shards(split)
    if shards is None:
        return AnyUtterance(corpus, split)
    return ShardWindow(corpus, shards, batch_frames=batch_frames, seed=seed, rank=rank)

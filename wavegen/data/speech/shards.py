"""Lhotse shards of a part of a corpus: writing them, and reading one at a time from untrusted files.

``train/`` contains ``cuts.000000.jsonl.gz``, ``recording.000000.tar`` and ``frames.000000.tar`` for each
shard, as ``lhotse.CutSet.from_shar`` reads them. ``train.shards.json`` states how many utterances and frames
each has.
"""

import io
import itertools
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lhotse import CutSet, MonoCut, validate
from lhotse.serialization import load_jsonl
from lhotse.shar.writers.shar import SharWriter

from wavegen.audio.pitch import FRAME_S
from wavegen.data.speech.cuts import FRAMES, cut_in_memory
from wavegen.data.speech.files import read_json, write_json
from wavegen.errors import UserError, reason_of

SHARDED = "train"
"""The part that may be sharded; the others are small."""
_SUFFIXES = {"recording": ".wav", FRAMES: ".npy"}


def num_frames_of(cut: MonoCut) -> int:
    """Frames of 5 ms of a whole cut."""
    return round(cut.duration / FRAME_S)


class ShardWriter:
    """Writes the cuts of a part as shards; a context manager. They take their name when all are complete.

    Args:
        directory: of the corpus.
        part: ``train``.
        shard_size: utterances in a shard.
    """

    def __init__(self, directory: Path, part: str, shard_size: int) -> None:
        self.directory, self.part, self.shard_size = directory, part, shard_size
        self.partial = directory / f"{part}.partial"
        self.sizes: list[list[int]] = []
        self._count = 0

    def __enter__(self) -> Self:
        shutil.rmtree(self.partial, ignore_errors=True)
        self.partial.mkdir(parents=True)
        # WAV, because FLAC takes ten times as long to read, for half of the space.
        fields = {"recording": "wav", FRAMES: "numpy"}
        self._writer = SharWriter(str(self.partial), fields=fields, shard_size=self.shard_size)
        self._writer.__enter__()
        return self

    def write(self, cut: MonoCut) -> None:
        """Appends an utterance. Raises UserError if it cannot be written."""
        try:
            self._writer.write(cut)
        except OSError as error:
            raise UserError(f"cannot write {self.partial}: {error.strerror or error}") from error
        if self._count % self.shard_size == 0:
            self.sizes.append([0, 0])
        self._count += 1
        self.sizes[-1][0] += 1
        self.sizes[-1][1] += num_frames_of(cut)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        if kind is not None:
            shutil.rmtree(self.partial, ignore_errors=True)
            return
        _index(self.directory, self.part).unlink(missing_ok=True)
        shutil.rmtree(self.directory / self.part, ignore_errors=True)
        self.partial.rename(self.directory / self.part)
        write_json(_index(self.directory, self.part), {"utterances_and_frames": self.sizes})


@dataclass(frozen=True)
class Shards:
    """The shards of a part of a corpus; iterates over all cuts in order, one shard in memory.

    Args:
        directory: of the shards.
        sizes: utterances and frames of each.
    """

    directory: Path
    sizes: tuple[tuple[int, int], ...]

    @classmethod
    def open(cls, directory: Path, part: str) -> "Shards | None":
        """The shards of a part of the corpus in ``directory``; None if it has none.

        Raises:
            UserError: if their list is malformed.
        """
        path = _index(directory, part)
        if not path.is_file():
            return None
        try:
            entries = read_json(path)["utterances_and_frames"]
            sizes = tuple((int(utterances), int(frames)) for utterances, frames in entries)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UserError(f"{path} is malformed: {error!r}") from error
        if not sizes or min(map(min, sizes)) < 1 or max(map(max, sizes)) >= 2**40:
            raise UserError(f"{path}: expected whole numbers above 0 for at least one shard")
        return cls(directory / part, sizes)

    def __len__(self) -> int:
        return sum(utterances for utterances, _ in self.sizes)

    def __iter__(self) -> Iterator[MonoCut]:
        return itertools.chain.from_iterable(map(self.read, range(len(self.sizes))))

    def read(self, number: int) -> list[MonoCut]:
        """The cuts of a shard, with their data in memory.

        Raises:
            UserError: if a file is missing or malformed, or they do not fit each other.
        """
        path = self.directory / f"cuts.{number:06}.jsonl.gz"
        audio, frames = (self._members(field, number) for field in ("recording", FRAMES))
        try:
            entries = itertools.islice(load_jsonl(path), self.sizes[number][0] + 1)
            cuts = [cut_in_memory(entry, audio[entry["id"]], frames[entry["id"]]) for entry in entries]
            validate(CutSet.from_cuts(cuts))
        except Exception as error:  # Lhotse and the decompression raise errors of many types
            raise UserError(f"{path} is missing or malformed: {reason_of(error)}") from error
        found = len(cuts), sum(map(num_frames_of, cuts))
        if found != self.sizes[number]:
            raise UserError(
                f"{path} has {found[0]} utterances of {found[1]} frames, but the list of shards states "
                f"{self.sizes[number][0]} of {self.sizes[number][1]}"
            )
        return cuts

    def _members(self, field: str, number: int) -> dict[str, bytes]:
        """The files of an archive by their ids, without the manifests beside them, which are in the cuts."""
        path, suffix = self.directory / f"{field}.{number:06}.tar", _SUFFIXES[field]
        found = {}
        try:
            with tarfile.open(fileobj=io.BytesIO(path.read_bytes()), mode="r:") as archive:
                for member in archive:
                    # A sparse member may claim any size.
                    if member.isreg() and not member.issparse() and member.name.endswith(suffix):
                        file = archive.extractfile(member)
                        found[member.name.removesuffix(suffix)] = file.read() if file else b""
        except FileNotFoundError as error:
            raise UserError(f"{path} does not exist") from error
        except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
            raise UserError(f"{path} cannot be read: {reason_of(error)}") from error
        return found


def _index(directory: Path, part: str) -> Path:
    return directory / f"{part}.shards.json"

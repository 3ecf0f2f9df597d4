"""Reads a prepared corpus from disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lhotse import CutSet, MonoCut

from wavegen.audio.pitch import PitchTracker
from wavegen.audio.sound_files import read_waveform
from wavegen.data.speech.cuts import FRAMES, phones_of, read_cuts, sources_of
from wavegen.data.speech.files import read_json
from wavegen.data.speech.shards import Shards
from wavegen.errors import UserError, reason_of
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.prosody.prosody import Prosody
from wavegen.untrusted.parts import restore

FORMAT_VERSION = 4
SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Utterance:
    """One utterance: ``waveform`` (frames × hop_samples,) float32, phones, and unbatched context."""

    id: str
    text: str
    phones: list[TimedPhone]
    waveform: torch.Tensor
    context: SpeechContext


@dataclass(frozen=True)
class Corpus:
    """A corpus on disk; see "Corpus on disk" in ``docs/architecture.md``.

    Args:
        directory: its folder.
        name: of its source.
        sample_rate: in Hz.
        encoder: of the compact frames, with scalers fitted on train.
        front_end: the front end that gave the pronunciations.
        prosody: fitted on train.
        sizes: number of utterances per split.
        duration_s: total duration of all splits.
        skipped: reasons of the skipped utterances, by id.
        pitch: the pitch tracker used in the preparation.
    """

    directory: Path
    name: str
    sample_rate: int
    encoder: FeatureEncoder
    front_end: FrontEnd
    prosody: Prosody
    sizes: dict[str, int]
    duration_s: float
    skipped: dict[str, str]
    pitch: PitchTracker

    @classmethod
    def open(cls, directory: str | Path) -> "Corpus":
        """Opens a corpus. Raises UserError if it is missing, incomplete or of another version."""
        directory = Path(directory)
        path = directory / "corpus.json"
        if not path.is_file():
            raise UserError(
                f"{directory} contains no prepared corpus (corpus.json is missing); run wavegen prepare first"
            )
        data = read_json(path)
        if data.get("format_version") != FORMAT_VERSION:
            raise UserError(
                f"{path} has the format version {data.get('format_version')!r}, but this version of wavegen "
                f"reads {FORMAT_VERSION}; prepare the corpus again"
            )
        try:
            corpus = cls(
                directory,
                str(data["name"]),
                int(data["sample_rate"]),
                FeatureEncoder.from_dict(data["encoder"], path),
                restore(data["front_end"], FrontEnd, f"{path}, front_end"),
                restore(data["prosody"], Prosody, f"{path}, prosody"),
                {split: int(data["splits"][split]) for split in SPLITS},
                float(data["duration_s"]),
                {entry["id"]: entry["reason"] for entry in data["skipped"]},
                # PitchTracker is a union of classes, which mypy takes for no type.
                restore(data["settings"]["pitch"], PitchTracker, f"{path}, settings.pitch"),  # type: ignore[arg-type]
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(f"{path} is malformed: {error!r}") from error
        for split in SPLITS:
            if not corpus._cuts_path(split).is_file() and corpus.shards(split) is None:
                raise UserError(f"the corpus {directory} is incomplete: {split}.cuts.jsonl.gz is missing")
        return corpus

    def __str__(self) -> str:
        sizes = ", ".join(f"{number} {split}" for split, number in self.sizes.items())
        minutes = self.duration_s / 60
        length = f"{minutes:.1f} minutes at {self.sample_rate} Hz"
        return f"corpus {self.name} in {self.directory}: {length} ({sizes})"

    @property
    def hop_samples(self) -> int:
        """Samples per 5 ms frame."""
        return self.sample_rate // 200

    def cuts(self, split: str) -> CutSet:
        """The Lhotse cuts of ``train``, ``dev`` or ``test``: eager, with paths inside ``directory``, or lazy
        if they lie in shards.

        :meth:`load` reads the data of one cut.
        """
        if split not in SPLITS:
            raise UserError(f"a corpus has the splits {', '.join(SPLITS)}, got {split!r}")
        shards = self.shards(split)
        return read_cuts(self._cuts_path(split), self.directory) if shards is None else CutSet(shards)

    def shards(self, split: str) -> Shards | None:
        """The shards of a split, None if it has none. Raises UserError if their list is malformed."""
        return Shards.open(self.directory, split)

    def utterances(self, split: str) -> Iterator[Utterance]:
        """The utterances of a split, in order. Raises UserError as :meth:`load` does."""
        for cut in self.cuts(split):
            waveform, frames = self.load(cut)
            text, context = cut.supervisions[0].text, self.encoder.encode(frames)
            yield Utterance(cut.id, text, phones_of(cut), torch.from_numpy(waveform), context)

    def load(self, cut: MonoCut) -> tuple[np.ndarray, np.ndarray]:
        """Reads the data of a whole cut of this corpus.

        Returns:
            the waveform, (frames × hop_samples,) float32; the compact frames, (frames, columns) float32.

        Raises:
            UserError: naming the file that is missing, damaged, not finite, or does not fit the corpus.
        """
        path, frames_path, content = sources_of(cut)
        # Limits memory, whatever the header says.
        channels, sample_rate = read_waveform(path, content=content)
        try:
            frames = cut.load_custom(FRAMES)
        except Exception as error:  # NumPy's parser of a damaged header raises errors of many types
            raise UserError(f"the frames {frames_path} cannot be read: {reason_of(error)}") from error
        num_columns = len(self.encoder.layout.columns)
        if not (isinstance(frames, np.ndarray) and frames.ndim == 2 and frames.dtype == np.float32):
            raise UserError(f"{frames_path} does not contain a float32 array of frames × columns")
        if frames.shape[1] != num_columns or not np.isfinite(frames).all():
            raise UserError(
                f"{frames_path} does not fit the corpus: expected {num_columns} columns of finite numbers, "
                f"got {frames.shape[1]} columns"
            )
        if sample_rate != self.sample_rate or channels.shape != (1, len(frames) * self.hop_samples):
            raise UserError(
                f"{path} does not fit the corpus: expected one channel of {len(frames)} frames at "
                f"{self.sample_rate} Hz, got {channels.shape[0]} of {channels.shape[1]} samples at "
                f"{sample_rate} Hz"
            )
        return channels[0], frames

    def _cuts_path(self, split: str) -> Path:
        return self.directory / f"{split}.cuts.jsonl.gz"

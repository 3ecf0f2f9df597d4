"""A prepared corpus, read from disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from lhotse import CutSet, MonoCut

from wavegen.audio.pitch import PitchTracker
from wavegen.audio.sound_files import read_waveform
from wavegen.data.speech.cuts import FRAMES, files_of, phones_of, read_cuts
from wavegen.data.speech.files import read_json
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.prosody.prosody import Prosody
from wavegen.untrusted.parts import restore

FORMAT_VERSION = 2
SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Utterance:
    """One utterance: ``waveform`` (frames × hop_samples,) float32, its phones, its unbatched context."""

    id: str
    text: str
    phones: list[TimedPhone]
    waveform: torch.Tensor
    context: SpeechContext


@dataclass(frozen=True)
class Corpus:
    """A corpus on disk; see "Corpus on disk" in ``docs/architecture.md``.

    Args:
        directory: where it lies.
        name: of its source.
        sample_rate: in Hz.
        encoder: of the compact frames, scalers fitted on train.
        front_end: whose pronunciation it was prepared with.
        prosody: fitted on train.
        sizes: utterances per split.
        duration_s: of all splits together.
        skipped: reasons of the utterances left out, by id.
        pitch: the tracker that it was prepared with.
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
        """Raises UserError where there is no complete corpus that this version can read."""
        directory = Path(directory)
        path = directory / "corpus.json"
        if not path.is_file():
            raise UserError(
                f"{directory} holds no prepared corpus (it has no corpus.json); run wavegen prepare first"
            )
        data = read_json(path)
        if data.get("format_version") != FORMAT_VERSION:
            raise UserError(
                f"{path} has the format version {data.get('format_version')!r}, but this version of wavegen "
                f"reads {FORMAT_VERSION}; prepare the corpus anew"
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
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path} is malformed: {error!r}") from error
        for split in SPLITS:
            if not corpus._cuts_path(split).is_file():
                raise UserError(f"the corpus {directory} is incomplete: {split}.cuts.jsonl.gz is missing")
        return corpus

    def __str__(self) -> str:
        sizes = ", ".join(f"{number} {split}" for split, number in self.sizes.items())
        minutes = self.duration_s / 60
        length = f"{minutes:.1f} minutes at {self.sample_rate} Hz"
        return f"corpus {self.name} in {self.directory}: {length} ({sizes})"

    @property
    def hop_samples(self) -> int:
        """Samples in a frame of 5 ms."""
        return self.sample_rate // 200

    def cuts(self, split: str) -> CutSet:
        """The Lhotse cuts of ``train``, ``dev`` or ``test``, eager, with paths that lead into ``directory``.

        :meth:`load` reads what belongs to one of them.
        """
        if split not in SPLITS:
            raise UserError(f"a corpus has the splits {', '.join(SPLITS)}, not {split!r}")
        return read_cuts(self._cuts_path(split), self.directory)

    def utterances(self, split: str) -> Iterator[Utterance]:
        """Whole utterances of a split, in its order. Raises UserError as :meth:`load` does."""
        for cut in self.cuts(split):
            waveform, frames = self.load(cut)
            text, context = cut.supervisions[0].text, self.encoder.encode(frames)
            yield Utterance(cut.id, text, phones_of(cut), torch.from_numpy(waveform), context)

    def load(self, cut: MonoCut) -> tuple[np.ndarray, np.ndarray]:
        """What belongs to a cut of this corpus, whole.

        Returns:
            the waveform, (frames × hop_samples,) float32; the compact frames, (frames, columns) float32.

        Raises:
            UserError: naming the file that is missing, damaged, not finite, or does not fit its corpus.
        """
        path, frames_path = files_of(cut)
        channels, sample_rate = read_waveform(path)  # within bounds, whatever its header claims
        try:
            frames = cut.load_custom(FRAMES)
        except (OSError, ValueError, EOFError, BadZipFile, MemoryError) as error:
            raise UserError(f"the frames {frames_path} cannot be read: {error}") from error
        num_columns = len(self.encoder.layout.columns)
        if not (isinstance(frames, np.ndarray) and frames.ndim == 2 and frames.dtype == np.float32):
            raise UserError(f"{frames_path} does not hold float32 frames × columns")
        if frames.shape[1] != num_columns or not np.isfinite(frames).all():
            raise UserError(
                f"{frames_path} does not fit its corpus: expected {num_columns} columns of finite numbers, "
                f"got {frames.shape[1]} columns"
            )
        if sample_rate != self.sample_rate or channels.shape != (1, len(frames) * self.hop_samples):
            raise UserError(
                f"{path} does not fit its corpus: expected one channel of {len(frames)} frames at "
                f"{self.sample_rate} Hz, got {channels.shape[0]} of {channels.shape[1]} samples at "
                f"{sample_rate} Hz"
            )
        return channels[0], frames

    def _cuts_path(self, split: str) -> Path:
        return self.directory / f"{split}.cuts.jsonl.gz"

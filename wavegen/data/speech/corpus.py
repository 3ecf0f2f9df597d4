"""A prepared corpus, read from disk."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from lhotse import CutSet, MonoCut

from wavegen.audio.pitch import PitchTracker, pitch_tracker
from wavegen.audio.sound_files import read_waveform
from wavegen.data.speech.files import read_json
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.features import FeatureEncoder
from wavegen.linguistics.frontends.espeak.voice import EspeakVoice
from wavegen.linguistics.register import VoiceRegister

FORMAT_VERSION = 1
SPLITS = ("train", "dev", "test")
_MALFORMED = (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Utterance:
    """One utterance: ``waveform`` (frames × hop_samples,) float32 and its unbatched context of speech."""

    id: str
    text: str
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
        register: of the voice.
        espeak_voice: whose pronunciation it was prepared with.
        sizes: utterances per split.
        duration_s: of all splits together.
        skipped: reasons of the utterances left out, by id.
        pitch: the tracker it was prepared with.
    """

    directory: Path
    name: str
    sample_rate: int
    encoder: FeatureEncoder
    register: VoiceRegister
    espeak_voice: EspeakVoice
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
                FeatureEncoder.from_dict(data["encoder"]),
                VoiceRegister.from_dict(data["register"]),
                EspeakVoice(**data["voice"]),
                {split: int(data["splits"][split]) for split in SPLITS},
                float(data["duration_s"]),
                {entry["id"]: entry["reason"] for entry in data["skipped"]},
                pitch_tracker(data["settings"]["pitch"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path} is malformed: {error!r}") from error
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
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
        path = self._cuts_path(split)
        try:
            lines = gzip.decompress(path.read_bytes()).decode().splitlines()
            return CutSet.from_cuts(self._cut(json.loads(line)) for line in lines)
        except _MALFORMED as error:
            raise UserError(f"{path} is missing or malformed: {error}") from error

    def utterances(self, split: str) -> Iterator[Utterance]:
        """Whole utterances of a split, in its order. Raises UserError as :meth:`load` does."""
        for cut in self.cuts(split):
            waveform, frames = self.load(cut)
            text = cut.supervisions[0].text
            yield Utterance(cut.id, text, torch.from_numpy(waveform), self.encoder.encode(frames))

    def load(self, cut: MonoCut) -> tuple[np.ndarray, np.ndarray]:
        """What belongs to a cut of this corpus, whole.

        Returns:
            the waveform, (frames × hop_samples,) float32; the compact frames, (frames, columns) float32.

        Raises:
            UserError: naming the file that is missing, damaged, not finite, or does not fit its corpus.
        """
        path, array = Path(cut.recording.sources[0].source), cut.frames.array
        frames_path = Path(array.storage_path) / array.storage_key
        channels, sample_rate = read_waveform(path)
        try:
            frames = np.load(frames_path, allow_pickle=False)
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

    def _cut(self, data: dict) -> MonoCut:
        """A cut as Lhotse reads it. A corpus someone was handed is data: its cuts may name files below
        ``directory`` and nothing else, whereas Lhotse would run commands and open addresses that they name.
        """
        if data["type"] != "MonoCut":
            raise ValueError(f"a cut of the type {data['type']!r}, expected MonoCut")
        recording, frames = data["recording"], data["custom"]["frames"]
        [source] = recording["sources"]
        source["type"] = "file"
        source["source"] = str(self._inside(source["source"]))
        array = frames["array"]
        array["storage_type"] = "numpy_files"
        self._inside(Path(array["storage_path"], array["storage_key"]))
        array["storage_path"] = str(self._inside(array["storage_path"]))
        # Only what prepare writes: other fields of a cut and its parts may name files again.
        [supervision] = data["supervisions"]
        supervision.pop("custom", None)
        return MonoCut.from_dict(
            {
                **_only(data, "id", "start", "duration", "channel"),
                "supervisions": [supervision],
                "recording": _only(recording, "id", "sources", "sampling_rate", "num_samples", "duration"),
                "custom": {"frames": _only(frames, "array", "temporal_dim", "frame_shift", "start")},
            }
        )

    def _inside(self, name: str | Path) -> Path:
        """Where ``name`` leads to. Raises UserError where that is outside the corpus."""
        path = self.directory / name
        if not path.resolve().is_relative_to(self.directory.resolve()):
            raise UserError(
                f"a cut of {self.directory} names {str(name)!r}, expected a file inside the corpus"
            )
        return path


def _only(data: dict, *keys: str) -> dict:
    return {key: data[key] for key in keys}

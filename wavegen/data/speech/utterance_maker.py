"""Prepares one utterance of a corpus: its audio, its frames, and a record with its cut."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wavegen.audio.resampling import resample
from wavegen.audio.waveform import to_grid
from wavegen.data.speech.cuts import files_of, read_cut, write_cut_files
from wavegen.data.speech.files import read_json, write_json
from wavegen.data.speech.preparation import Preparation
from wavegen.data.speech.sources.source import CorpusItem, SkippedUtterance
from wavegen.errors import UserError
from wavegen.linguistics.contours import contours_of
from wavegen.linguistics.prosody.prosody import summary_of

_LOUDEST_PEAK = 0.99


@dataclass(frozen=True)
class UtteranceMaker:
    """Writes the files of one utterance; runs in any process.

    Args:
        preparation: of the corpus.
        directory: of the corpus.
    """

    preparation: Preparation
    directory: Path

    def __call__(self, item: CorpusItem) -> dict | str:
        """Returns the record of ``item``, created if it does not exist, or the reason for skipping it.

        Raises:
            UserError: if it cannot be written.
        """
        done = self._done(item)
        if done is not None:
            return done
        try:
            return self._make(item)
        except SkippedUtterance as reason:
            return str(reason)
        except MemoryError:
            return f"there is not enough memory for the recording {item.name or item.id}"

    def _done(self, item: CorpusItem) -> dict | None:
        try:
            record = read_record(self.directory, item.id)
            cut = read_cut(record["cut"], self.directory)
        except (UserError, KeyError):
            return None
        there = all(path.is_file() for path in files_of(cut))
        return record if there and (record["text"], record["stamp"]) == (item.text, item.stamp) else None

    def _make(self, item: CorpusItem) -> dict:
        settings = self.preparation
        rendition = settings.source.render(item)
        waveform = resample(rendition.waveform, rendition.sample_rate, settings.sample_rate)
        if settings.loudness_dbfs is not None:
            gain = 10 ** (settings.loudness_dbfs / 20) / max(
                float(np.sqrt(np.mean(np.square(waveform)))), 1e-9
            )
            waveform = waveform * min(gain, _LOUDEST_PEAK / max(float(np.abs(waveform).max()), 1e-9))
        hop_samples = hop(settings.sample_rate)
        num_frames = len(waveform) // hop_samples
        if num_frames < len(rendition.phones):
            raise SkippedUtterance(
                f"{num_frames} frames of 5 ms are too few for {len(rendition.phones)} phones"
            )
        waveform = np.clip(to_grid(waveform[: num_frames * hop_samples]), -1, 1 - 2.0**-15)

        contours = contours_of(waveform, settings.sample_rate, num_frames, settings.pitch)
        frames = settings.layout.compact(rendition.phones, num_frames, contours)
        # The record is written last: if it exists, the other files are complete.
        record_path(self.directory, item.id).unlink(missing_ok=True)
        cut = write_cut_files(
            self.directory, item.id, item.text, waveform, settings.sample_rate, frames, rendition.phones
        )
        record = {
            "id": item.id,
            "text": item.text,
            "stamp": item.stamp,
            "num_frames": num_frames,
            "notes": list(rendition.notes),
            "unknown_phones": settings.layout.num_unknown(rendition.phones),
            "estimated": rendition.estimated,
            "prosody": None
            if rendition.estimated  # retiming adds it
            else summary_of(settings.prosody, rendition.phones, contours, rendition.spoken),
            "cut": cut.to_dict(),
        }
        settings.keep(self.directory)
        write_json(record_path(self.directory, item.id), record)
        return record


def hop(sample_rate: int) -> int:
    """Samples per 5 ms frame."""
    return sample_rate // 200


def record_path(directory: Path, id_: str) -> Path:
    """The file of an utterance's record."""
    return directory / "utterances" / f"{id_}.json"


def read_record(directory: Path, id_: str) -> dict:
    """The record of a prepared utterance. Raises UserError if it is missing or unreadable."""
    return read_json(record_path(directory, id_))

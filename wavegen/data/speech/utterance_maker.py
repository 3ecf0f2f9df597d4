"""What a corpus holds of one utterance: its audio, its frames and a record."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from wavegen.audio.pitch import FRAME_S, PitchTracker
from wavegen.audio.waveform import resample, to_grid, write_waveform
from wavegen.data.speech.files import read_json, write_array, write_json
from wavegen.data.speech.sources.source import CorpusItem, CorpusSource, SkippedUtterance
from wavegen.errors import UserError
from wavegen.linguistics.features import FeatureLayout, compact_frames
from wavegen.linguistics.phones import mean_phone_duration_s

_LOUDEST_PEAK = 0.99


@dataclass(frozen=True)
class UtteranceMaker:
    """Makes the files of one utterance, in whichever process.

    Args:
        source: of the utterances.
        directory: of the corpus.
        sample_rate: of the corpus, in Hz.
        pitch: tracker.
        layout: of the frames.
        loudness_dbfs: root mean square to bring the utterance to; None leaves its level.
    """

    source: CorpusSource
    directory: Path
    sample_rate: int
    pitch: PitchTracker
    layout: FeatureLayout
    loudness_dbfs: float | None

    def __call__(self, item: CorpusItem) -> dict | str:
        """The record of ``item``, made now unless it is there already, or the reason to leave it out.

        Raises:
            UserError: it cannot be written.
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
        paths = [self.directory / "utterances" / f"{item.id}.json", *self._paths(item)]
        if not all(path.is_file() for path in paths):
            return None
        try:
            record = read_json(paths[0])
        except UserError:
            return None
        return record if (record.get("text"), record.get("stamp")) == (item.text, item.stamp) else None

    def _paths(self, item: CorpusItem) -> tuple[Path, Path]:
        return self.directory / "audio" / f"{item.id}.wav", self.directory / "frames" / f"{item.id}.npy"

    def _make(self, item: CorpusItem) -> dict:
        rendition = self.source.render(item)
        waveform = resample(rendition.waveform, rendition.sample_rate, self.sample_rate)
        if self.loudness_dbfs is not None:
            gain = 10 ** (self.loudness_dbfs / 20) / max(float(np.sqrt(np.mean(np.square(waveform)))), 1e-9)
            waveform = waveform * min(gain, _LOUDEST_PEAK / max(float(np.abs(waveform).max()), 1e-9))
        hop_samples = hop(self.sample_rate)
        num_frames = len(waveform) // hop_samples
        if num_frames < len(rendition.phones):
            raise SkippedUtterance(
                f"{num_frames} frames of 5 ms are too few for {len(rendition.phones)} phones"
            )
        waveform = np.clip(to_grid(waveform[: num_frames * hop_samples]), -1, 1 - 2.0**-15)

        track = self.pitch(waveform, self.sample_rate, num_frames)
        frames = compact_frames(rendition.phones, num_frames, self.layout, track)
        spoken = rendition.spoken
        spoken_track = track
        if spoken.waveform is not rendition.waveform:
            spoken_frames = int(spoken.duration_s / FRAME_S)
            spoken_track = self.pitch(spoken.waveform, spoken.sample_rate, spoken_frames)

        audio_path, frames_path = self._paths(item)
        write_waveform(audio_path, waveform, self.sample_rate)
        write_array(frames_path, frames)
        record = {
            "id": item.id,
            "text": item.text,
            "stamp": item.stamp,
            "num_frames": num_frames,
            "notes": list(rendition.notes),
            "unknown_phones": sum(self.layout.phone_index(phone.phone) == 1 for phone in rendition.phones),
            "phones": [list(asdict(phone).values()) for phone in rendition.phones],
            "spoken": {
                "log_f0": moments(np.log(spoken_track.f0_hz[spoken_track.voiced > 0.5])),
                "phone_duration_s": mean_phone_duration_s(spoken.phones),
            },
        }
        # Last of all: where this file is, the others are complete.
        write_json(self.directory / "utterances" / f"{item.id}.json", record)
        return record


def hop(sample_rate: int) -> int:
    """Samples in a frame of 5 ms."""
    return sample_rate // 200


def moments(values: np.ndarray) -> list[float]:
    """Count, sum and sum of squares."""
    return [float(len(values)), float(values.sum()), float(np.square(values).sum())]

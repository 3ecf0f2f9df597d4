"""Lhotse cuts of a corpus."""

import gzip
import json
from pathlib import Path

from lhotse import MonoCut, Recording, SupervisionSegment
from lhotse.array import Array, TemporalArray
from lhotse.audio import AudioSource
from lhotse.supervision import AlignmentItem

from wavegen.audio.pitch import FRAME_S
from wavegen.data.speech.utterance_maker import hop
from wavegen.files import write_bytes
from wavegen.linguistics.features import FeatureLayout
from wavegen.linguistics.phones import TimedPhone


def write_cuts(path: Path, records: list[dict], sample_rate: int, layout: FeatureLayout) -> None:
    """Write the cuts of the records of an ``UtteranceMaker``, as gzipped lines of JSON.

    Their paths are relative to the corpus, so that it can be moved.
    """
    lines = []
    for record in records:
        id_, num_frames = record["id"], record["num_frames"]
        num_samples = num_frames * hop(sample_rate)
        duration_s = num_samples / sample_rate
        phones = [TimedPhone(*phone) for phone in record["phones"]]
        alignment = [AlignmentItem(p.phone, round(p.start_s, 6), round(p.duration_s, 6)) for p in phones]
        audio = AudioSource(type="file", channels=[0], source=f"audio/{id_}.wav")
        frames = Array(
            "numpy_files",
            storage_path="frames",
            storage_key=f"{id_}.npy",
            shape=[num_frames, len(layout.columns)],
        )
        cut = MonoCut(
            id=id_,
            start=0.0,
            duration=duration_s,
            channel=0,
            recording=Recording(id_, [audio], sample_rate, num_samples, duration_s),
            supervisions=[
                SupervisionSegment(
                    id_, id_, 0.0, duration_s, text=record["text"], alignment={"phone": alignment}
                )
            ],
            custom={"frames": TemporalArray(frames, temporal_dim=0, frame_shift=FRAME_S, start=0.0)},
        )
        lines.append(json.dumps(cut.to_dict(), ensure_ascii=False))
    write_bytes(path, gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))

"""Lhotse cuts of a corpus: writing them, and reading them from untrusted files.

An utterance is a ``MonoCut`` with one recording, one supervision (text, and the phones as an alignment) and
the compact frames as a temporal array. Paths are relative to the corpus folder, so that it can be moved.
"""

import copy
import gzip
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lhotse import CutSet, MonoCut, NumpyFilesWriter, Recording, SupervisionSegment, validate
from lhotse.array import TemporalArray
from lhotse.serialization import load_jsonl
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

from wavegen.audio.pitch import FRAME_S
from wavegen.audio.waveform import write_waveform
from wavegen.errors import UserError, reason_of
from wavegen.files import write_bytes
from wavegen.linguistics.phones import TimedPhone

FRAMES = "frames"
_OF_PHONES = ("stress", "word", "phrase")
_MALFORMED: tuple[type[Exception], ...] = (OSError, EOFError, ValueError, KeyError, TypeError, IndexError)
_MALFORMED += (AttributeError, RecursionError)
_MALFORMED += (AssertionError,)  # Lhotse raises it for invalid data


def write_cut_files(
    directory: Path,
    id_: str,
    text: str,
    waveform: np.ndarray,
    sample_rate: int,
    frames: np.ndarray,
    phones: Sequence[TimedPhone],
) -> MonoCut:
    """Writes an utterance's audio and frames into ``directory``; returns its cut with relative paths.

    Raises:
        UserError: if they cannot be written.
    """
    audio = Path("audio", f"{id_}.wav")
    write_waveform(directory / audio, waveform, sample_rate)
    recording = Recording.from_file(directory / audio, recording_id=id_)
    recording = fastcopy(recording, sources=[fastcopy(recording.sources[0], source=str(audio))])
    stored = _write_frames(directory, id_, frames)
    supervision = SupervisionSegment(
        id=id_,
        recording_id=id_,
        start=0.0,
        duration=recording.duration,
        text=text,
        **_of_phones(phones),
    )
    return MonoCut(
        id=id_,
        start=0.0,
        duration=recording.duration,
        channel=0,
        recording=recording,
        supervisions=[supervision],
        custom={FRAMES: stored},
    )


def write_other_phones(
    directory: Path, cut: dict[str, Any], frames: np.ndarray, phones: Sequence[TimedPhone]
) -> dict[str, Any]:
    """Replaces the frames of an utterance in ``directory``; returns its cut with the new phones.

    Raises:
        UserError: if they cannot be written.
    """
    changed = MonoCut.from_dict(copy.deepcopy(cut))
    _write_frames(directory, changed.id, frames)
    changed.supervisions = [fastcopy(changed.supervisions[0], **_of_phones(phones))]
    return changed.to_dict()


def _write_frames(directory: Path, id_: str, frames: np.ndarray) -> TemporalArray:
    try:
        writer = NumpyFilesWriter(directory / FRAMES)
        stored = writer.store_array(id_, frames, frame_shift=FRAME_S, temporal_dim=0, start=0.0)
    except OSError as error:
        raise UserError(f"cannot write {directory / FRAMES}: {error.strerror or error}") from error
    return fastcopy(stored, array=fastcopy(stored.array, storage_path=FRAMES))


def _of_phones(phones: Sequence[TimedPhone]) -> dict[str, Any]:
    """The fields of a supervision that hold its phones."""
    items = [AlignmentItem(p.phone, round(p.start_s, 6), round(p.duration_s, 6)) for p in phones]
    custom = {name: [getattr(phone, name) for phone in phones] for name in _OF_PHONES}
    return {"alignment": {"phone": items}, "custom": custom}


def write_cuts(path: Path, cuts: Iterable[dict[str, Any]]) -> None:
    """Writes cuts as Lhotse's gzipped lines of JSON; the same cuts give the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "cuts.jsonl"
        CutSet.from_dicts(copy.deepcopy(cut) for cut in cuts).to_file(plain)  # Lhotse empties the dicts
        write_bytes(path, gzip.compress(plain.read_bytes(), mtime=0))


def read_cuts(path: Path, directory: Path) -> CutSet:
    """The cuts of a file, eager and validated by Lhotse, with paths inside ``directory``.

    Raises:
        UserError: if the file is missing or malformed, or a cut names a file outside ``directory``.
    """
    try:
        cuts = CutSet.from_cuts(read_cut(cut, directory) for cut in load_jsonl(path))
        validate(cuts)
    except UserError:
        raise
    except Exception as error:  # Lhotse and the decompression raise errors of many types
        raise UserError(f"{path} is missing or malformed: {reason_of(error)}") from error
    return cuts


def read_cut(data: dict[str, Any], directory: Path) -> MonoCut:
    """Reads an untrusted cut with Lhotse. It may name only files inside ``directory``; Lhotse alone would
    also run commands and open addresses named in a cut.
    """
    source, array = _sources_of(data)
    _require_inside(source["source"], directory)
    _require_inside(Path(array["storage_path"], array["storage_key"]), directory)
    cut = _cut_of(data, {**source, "type": "file"}, {**array, "storage_type": "numpy_files"})
    cut = cut.with_recording_path_prefix(directory)
    cut.custom = {FRAMES: cut.custom[FRAMES].with_path_prefix(directory)}
    return cut


def cut_in_memory(data: dict[str, Any], audio: bytes, frames: bytes) -> MonoCut:
    """Reads an untrusted cut whose audio file and array of frames are given."""
    source, array = _sources_of(data)
    return _cut_of(
        data,
        {**source, "type": "memory", "source": audio},
        {**array, "storage_type": "memory_npy", "storage_path": "", "storage_key": frames},
    )


def _sources_of(data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The descriptions of its audio file and of its array of frames."""
    if data["type"] != "MonoCut":
        raise ValueError(f"got a cut of the type {data['type']!r}, expected MonoCut")
    [source] = data["recording"]["sources"]
    return source, data["custom"][FRAMES]["array"]


def _cut_of(data: dict[str, Any], source: dict[str, Any], array: dict[str, Any]) -> MonoCut:
    """The cut with only the fields that prepare writes, because other fields may name further files."""
    recording, frames, [supervision] = data["recording"], data["custom"][FRAMES], data["supervisions"]
    return MonoCut.from_dict(
        {
            **_only(data, "id", "start", "duration", "channel"),
            "supervisions": [
                {**supervision, "custom": {name: supervision["custom"][name] for name in _OF_PHONES}}
            ],
            "recording": {
                **_only(recording, "id", "sampling_rate", "num_samples", "duration"),
                "sources": [source],
            },
            "custom": {FRAMES: {**_only(frames, "temporal_dim", "frame_shift", "start"), "array": array}},
        }
    )


def files_of(cut: MonoCut) -> tuple[Path, Path]:
    """The paths of the audio file and of the frames file."""
    array = cut.custom[FRAMES].array
    return Path(cut.recording.sources[0].source), Path(array.storage_path) / array.storage_key


def sources_of(cut: MonoCut) -> tuple[Path, Path, bytes | None]:
    """The names of the audio file and of the frames, and the content of the former if it is in memory."""
    source = cut.recording.sources[0]
    if source.type == "memory":
        return Path(f"{cut.id}.wav"), Path(f"{cut.id}.npy"), source.source
    return *files_of(cut), None


def phones_of(cut: MonoCut) -> list[TimedPhone]:
    """The phones of a cut, contiguous from 0 s on.

    Raises:
        UserError: if they are missing or malformed.
    """
    [supervision] = cut.supervisions
    try:
        items = supervision.alignment["phone"]
        starts_s = [float(item.start) for item in items]
        ends_s = [*starts_s[1:], *[float(item.end) for item in items[-1:]]]
        rest = [[int(value) for value in supervision.custom[name]] for name in _OF_PHONES]
        return [
            TimedPhone(str(item.symbol), start_s, end_s, *of_phone)
            for item, start_s, end_s, *of_phone in zip(items, starts_s, ends_s, *rest, strict=True)
        ]
    except _MALFORMED as error:
        raise UserError(f"the phones of the cut {cut.id} are missing or malformed: {error!r}") from error


def _require_inside(name: str | Path, directory: Path) -> None:
    """Raises UserError if the path ``name`` leads out of the corpus folder."""
    if not (directory / name).resolve().is_relative_to(directory.resolve()):
        raise UserError(f"a cut of {directory} names {str(name)!r}, expected a file inside the corpus")


def _only(data: dict, *keys: str) -> dict:
    return {key: data[key] for key in keys}

"""Improves the estimated times of a corpus's phones by models of its own phones."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lhotse import MonoCut

from wavegen.audio.pitch import FRAME_S
from wavegen.audio.sound_files import read_waveform
from wavegen.data.speech.cuts import files_of, phones_of, read_cut, write_other_phones
from wavegen.data.speech.preparation import Preparation
from wavegen.data.speech.utterance_maker import read_record
from wavegen.linguistics.contours import Contours
from wavegen.linguistics.layout import CONTOUR_COLUMNS
from wavegen.linguistics.phone_models import PhoneModels, acoustic_observations
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.prosody.prosody import summary_of
from wavegen.workers import available_cores, map_in_processes

LEAST_S = 60.0
"""Less training speech than this leaves the estimates as they are."""
MOST_UTTERANCES = 400
"""Training utterances that the models are fitted to; those of one voice then hardly change any more."""


def finished_records(
    splits: Mapping[str, Sequence[str]],
    estimated: Mapping[str, int],
    preparation: Preparation,
    directory: Path,
    num_jobs: int | None = None,
) -> Iterator[dict[str, Any]]:
    """The records of a corpus in the order of its splits, with all prosody, and with better times where they
    were estimates.

    The models are fitted to training utterances only. The frames on disk are replaced. The records on disk
    keep the estimates, so that a repeated preparation gives the same result.

    Args:
        splits: ids of the utterances.
        estimated: numbers of frames of the utterances whose times are estimates, by id.
        preparation, directory: of the corpus.
        num_jobs: number of processes; by default the number of processors.

    Raises:
        UserError: if a file cannot be read or written.
    """
    models = _fit([id_ for id_ in splits["train"] if id_ in estimated], estimated, directory)
    title = "timing phones of" if estimated else "collecting"
    results = map_in_processes(
        Finisher(preparation, directory, models),
        [id_ for ids in splits.values() for id_ in ids],
        num_jobs=min(num_jobs or available_cores(), max(1, len(estimated) // 8)),
        title=f"{title} {preparation.source.name}",
        unit="utterance",
        first_alone=True,
    )
    for _, record in results:
        yield record


def _fit(ids: Sequence[str], num_frames: Mapping[str, int], directory: Path) -> PhoneModels | None:
    if not ids or sum(num_frames[id_] for id_ in ids) * FRAME_S < LEAST_S:
        return None
    every = -(-len(ids) // MOST_UTTERANCES)
    utterances = [_Utterance.read(read_record(directory, id_), directory) for id_ in ids[::every]]
    return PhoneModels.fit([(utterance.observations, utterance.phones) for utterance in utterances])


@dataclass(frozen=True)
class _Utterance:
    frames: np.ndarray
    phones: list[TimedPhone]
    observations: np.ndarray

    @classmethod
    def read(cls, record: dict[str, Any], directory: Path) -> "_Utterance":
        cut: MonoCut = read_cut(copy.deepcopy(record["cut"]), directory)
        audio_path, frames_path = files_of(cut)
        channels, sample_rate = read_waveform(audio_path)
        frames = np.load(frames_path, allow_pickle=False)
        return cls(frames, phones_of(cut), acoustic_observations(channels[0], sample_rate, len(frames)))


@dataclass(frozen=True)
class Finisher:
    """Reads the record of an utterance; runs in any process.

    If the times are estimates, replaces them and the frames, and summarises the prosody.

    Args:
        preparation, directory: of the corpus.
        models: of its phones; None keeps the times.
    """

    preparation: Preparation
    directory: Path
    models: PhoneModels | None

    def __call__(self, id_: str) -> dict[str, Any]:
        record, settings = read_record(self.directory, id_), self.preparation
        if not record["estimated"]:
            return record
        utterance = _Utterance.read(record, self.directory)
        phones = utterance.phones
        if self.models is not None:
            phones = self.models.align(utterance.observations, phones)
        frames = settings.layout.retimed(utterance.frames, phones)
        contours = Contours.of_columns(frames[:, -len(CONTOUR_COLUMNS) :])
        spoken = settings.source.front_end.read(record["text"])
        return record | {
            "prosody": summary_of(settings.prosody, phones, contours, spoken),
            "cut": write_other_phones(self.directory, record["cut"], frames, phones),
        }

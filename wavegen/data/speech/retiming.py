"""Improves the estimated times of a corpus's phones by models of its own phones."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lhotse import MonoCut

from wavegen.audio.pitch import FRAME_S
from wavegen.audio.sound_files import read_waveform
from wavegen.data.speech.cuts import files_of, phones_of, read_cut, write_other_phones
from wavegen.data.speech.preparation import Preparation
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


def retimed(
    records: Mapping[str, dict[str, Any]],
    training_ids: Iterable[str],
    preparation: Preparation,
    directory: Path,
    num_jobs: int | None = None,
) -> dict[str, dict[str, Any]]:
    """The records of a corpus, with better times where they were estimates, and with all prosody.

    The models are fitted to training utterances only. The frames on disk are replaced. The records on disk
    keep the estimates, so that a repeated preparation gives the same result.

    Args:
        records: by id, from :class:`~wavegen.data.speech.utterance_maker.UtteranceMaker`.
        training_ids: ids of the training split.
        preparation, directory: of the corpus.
        num_jobs: number of processes; by default the number of processors.

    Raises:
        UserError: if a file cannot be read or written.
    """
    estimated = [record for record in records.values() if record["estimated"]]
    if not estimated:
        return dict(records)
    training = [records[id_] for id_ in training_ids if records[id_]["estimated"]]
    models = _fit(training, directory)
    results = map_in_processes(
        Retimer(preparation, directory, models),
        estimated,
        num_jobs=min(num_jobs or available_cores(), max(1, len(estimated) // 8)),
        title=f"timing phones of {preparation.source.name}",
        unit="utterance",
        first_alone=True,
    )
    return {**records, **{record["id"]: record for _, record in results}}


def _fit(records: list[dict[str, Any]], directory: Path) -> PhoneModels | None:
    if sum(record["num_frames"] for record in records) * FRAME_S < LEAST_S:
        return None
    every = -(-len(records) // MOST_UTTERANCES)
    utterances = [_Utterance.read(record, directory) for record in records[::every]]
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
class Retimer:
    """Replaces frames and times of one utterance, and summarises its prosody; runs in any process.

    Args:
        preparation, directory: of the corpus.
        models: of its phones; None keeps the times.
    """

    preparation: Preparation
    directory: Path
    models: PhoneModels | None

    def __call__(self, record: dict[str, Any]) -> dict[str, Any]:
        utterance, settings = _Utterance.read(record, self.directory), self.preparation
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

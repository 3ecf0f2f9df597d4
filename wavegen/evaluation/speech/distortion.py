"""Computes the registry's metrics of the systems' waveforms beside the recordings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from wavegen.audio.pitch import PitchTrack
from wavegen.data.speech.corpus import Utterance
from wavegen.evaluation.speech.sentences import choice_of
from wavegen.evaluation.tally import Tally
from wavegen.linguistics.arpabet import Words
from wavegen.linguistics.phones import TimedPhone
from wavegen.metrics.distortion_registry import DISTORTION
from wavegen.metrics.frames import FRAME_RATE
from wavegen.metrics.metric import Spoken
from wavegen.workers import available_cores, map_in_processes

# Less speech is measured sooner than another process starts.
SECONDS_PER_PROCESS = 60.0

Value = tuple[str, float, int]
"""The key of a metric, one utterance's value, and its weight in a mean."""


@dataclass(frozen=True)
class Readings:
    """One utterance by all systems: waveforms ``(samples,)`` by system, the recording first."""

    id: str
    phones: Sequence[TimedPhone]
    waveforms: Mapping[str, np.ndarray]


def tally_systems(
    spoken: Mapping[str, Sequence[Tensor]],
    utterances: Sequence[Utterance],
    sample_rate: int,
    tally: Tally,
    *,
    pitch: Callable[..., PitchTrack],
    sentences: Mapping[str, Words],
    num_jobs: int | None = None,
) -> None:
    """Add ``system/…`` for all utterances, and the ratios to the recording.

    Args:
        spoken: one waveform ``(samples,)`` for each utterance, by system; the first system is the recording.
        utterances: with the recordings.
        sample_rate: of all.
        tally: gets values with their weights.
        pitch: F0 tracker for recordings and systems.
        sentences: of the corpus, by id, for the recogniser's choice; empty for none.
        num_jobs: number of processes; None for as many as there are cores and speech for. The values do not
            depend on it.
    """
    items = [
        Readings(u.id, u.phones, {name: waveforms[i].numpy() for name, waveforms in spoken.items()})
        for i, u in enumerate(utterances)
    ]
    if num_jobs is None:
        seconds = len(spoken) * sum(len(u.waveform) for u in utterances) / sample_rate
        num_jobs = min(available_cores(), int(seconds / SECONDS_PER_PROCESS))
    measure = partial(measure_utterance, sample_rate=sample_rate, pitch=pitch, sentences=sentences)
    for _, values in map_in_processes(measure, items, num_jobs=num_jobs, title="metrics", unit="utterance"):
        for key, value, weight in values:
            tally.add(key, value, weight)
    recording, *systems = spoken
    for metric in DISTORTION:
        if metric.relative_to is not None and metric.is_available:
            for system in systems:
                numerator, denominator = (f"{name}/{metric.relative_to}" for name in (system, recording))
                tally.relate(f"{system}/{metric.key}", numerator, denominator)


def measure_utterance(
    readings: Readings,
    *,
    sample_rate: int,
    pitch: Callable[..., PitchTrack],
    sentences: Mapping[str, Words],
) -> list[Value]:
    """``system/…`` of one utterance; for the recording only what is not given by definition."""
    choice = choice_of(readings.id, readings.phones, sentences)
    waveforms = {name: torch.from_numpy(waveform) for name, waveform in readings.waveforms.items()}
    recording = next(iter(waveforms))
    num_frames = len(waveforms[recording]) * FRAME_RATE // sample_rate
    tracks = {name: pitch(waveform.numpy(), sample_rate, num_frames) for name, waveform in waveforms.items()}
    values = []
    for system, waveform in waveforms.items():
        spoken = Spoken(
            waveform=waveform,
            reference=waveforms[recording],
            sample_rate=sample_rate,
            pitch=tracks[system],
            reference_pitch=tracks[recording],
            phones=readings.phones,
            choice=choice,
        )
        for metric in DISTORTION:
            known = system == recording and metric.of_recording is not None
            if metric.function is not None and metric.is_available and not known:
                weight = spoken.count(metric.over)
                values.append((f"{system}/{metric.key}", float(metric.function(spoken)), weight))
    return values

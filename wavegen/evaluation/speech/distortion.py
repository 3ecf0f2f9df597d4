"""Computes the registry's metrics of the systems' waveforms beside the recordings."""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from wavegen.audio.pitch import PitchTrack
from wavegen.data.speech.corpus import Utterance
from wavegen.evaluation.speech.sentences import choice_of
from wavegen.evaluation.tally import Tally
from wavegen.linguistics.arpabet import Words
from wavegen.metrics.distortion_registry import DISTORTION
from wavegen.metrics.frames import FRAME_RATE
from wavegen.metrics.metric import Spoken


def tally_systems(
    spoken: Mapping[str, Sequence[Tensor]],
    utterances: Sequence[Utterance],
    sample_rate: int,
    tally: Tally,
    *,
    pitch: Callable[..., PitchTrack],
    sentences: Mapping[str, Words],
) -> None:
    """Add ``system/…`` for all utterances, and the ratios to the recording.

    Args:
        spoken: one waveform ``(samples,)`` for each utterance, by system; the first system is the recording.
        utterances: with the recordings.
        sample_rate: of all.
        tally: gets values with their weights.
        pitch: F0 tracker for recordings and systems.
        sentences: of the corpus, by id, for the recogniser's choice; empty for none.
    """
    reference_system = next(iter(spoken))
    for number, utterance in enumerate(utterances):
        recording = utterance.waveform
        choice = choice_of(utterance, sentences)

        def track(waveform: Tensor, recording: Tensor = recording) -> PitchTrack:
            return pitch(waveform.numpy(), sample_rate, recording.shape[-1] * FRAME_RATE // sample_rate)

        reference_pitch = track(recording)
        for system, waveforms in spoken.items():
            is_recording = system == reference_system
            spoken_here = Spoken(
                waveform=waveforms[number],
                reference=recording,
                sample_rate=sample_rate,
                pitch=reference_pitch if is_recording else track(waveforms[number]),
                reference_pitch=reference_pitch,
                phones=utterance.phones,
                choice=choice,
            )
            tally_utterance(system, spoken_here, tally, is_recording=is_recording)
    for metric in DISTORTION:
        if metric.relative_to is not None and metric.is_available:
            for system in spoken:
                if system != reference_system:
                    own, others = f"{system}/{metric.relative_to}", f"{reference_system}/{metric.relative_to}"
                    tally.relate(f"{system}/{metric.key}", own, others)


def tally_utterance(system: str, spoken: Spoken, tally: Tally, *, is_recording: bool = False) -> None:
    """Add ``system/…`` for one utterance; for the recording only what is not given by definition."""
    for metric in DISTORTION:
        known = is_recording and metric.of_recording is not None
        if metric.function is not None and metric.is_available and not known:
            tally.add(f"{system}/{metric.key}", metric.function(spoken), spoken.count(metric.over))

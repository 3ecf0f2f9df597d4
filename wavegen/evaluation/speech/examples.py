"""Writes what a listener of the report hears and sees: sounds, spectrograms and pitch of some utterances."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from wavegen.audio.pitch import PitchTrack
from wavegen.audio.waveform import write_waveform
from wavegen.data.speech.corpus import Utterance
from wavegen.metrics.frames import FRAME_RATE
from wavegen.report.speech_figures import pitch_figure, spectrogram_figure, spectrogram_peak

WITHOUT_PITCH = ("white_noise", "shuffled")


def write_examples(
    spoken: Mapping[str, Sequence[Tensor]],
    utterances: Sequence[Utterance],
    sample_rate: int,
    output: Path,
    *,
    pitch: Callable[..., PitchTrack],
) -> list[dict]:
    """Write ``samples/*.wav`` and ``figures/*.png`` of all utterances; returns the report's entry of each.

    A system may speak fewer utterances than there are, or only the beginning of one.
    """
    entries = []
    for number, utterance in enumerate(utterances):
        reference = utterance.waveform
        peak = spectrogram_peak(reference, sample_rate)
        slug = f"{number:02d}_{re.sub(r'[^A-Za-z0-9_-]+', '_', utterance.id)}"
        tracks: dict[str, PitchTrack] = {}
        samples: dict[str, str] = {}
        spectrograms: dict[str, str] = {}
        for name, waveforms in spoken.items():
            if number >= len(waveforms):
                continue
            waveform = waveforms[number]
            samples[name] = f"samples/{slug}_{name}.wav"
            spectrograms[name] = f"figures/{slug}_{name}.png"
            write_waveform(output / samples[name], waveform, sample_rate)
            spectrogram_figure(waveform, sample_rate, peak=peak, path=output / spectrograms[name])
            if name not in WITHOUT_PITCH:
                num_frames = waveform.shape[-1] * FRAME_RATE // sample_rate
                tracks[name] = pitch(waveform.numpy(), sample_rate, num_frames)
        contours = f"figures/{slug}_pitch.png"
        pitch_figure(tracks, output / contours)
        entries.append(
            {
                "id": utterance.id,
                "text": utterance.text,
                "duration_s": reference.shape[-1] / sample_rate,
                "cut_short": [n for n in samples if len(spoken[n][number]) < len(reference)],
                "samples": samples,
                "spectrograms": spectrograms,
                "pitch": contours,
            }
        )
    return entries

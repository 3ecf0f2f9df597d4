"""Evaluates a voice: test utterances synthesised from their true features, and systems without a model."""

import json
import os
import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from wavegen.audio.pitch import PitchTrack
from wavegen.audio.waveform import GRID_STEP, to_grid, write_waveform
from wavegen.data.speech.corpus import Corpus, Utterance
from wavegen.errors import UserError
from wavegen.evaluation.speech.distortion import tally_utterance
from wavegen.evaluation.speech.likelihood import tally_divergence, tally_linear_predictor, tally_teacher
from wavegen.evaluation.speech.speed import samples_per_second, uncached_samples_per_second
from wavegen.evaluation.speech.systems import GriffinLim, Recording, Student, System, Teacher, WhiteNoise
from wavegen.evaluation.speech.test_set import beginning, load_utterances
from wavegen.evaluation.tally import Tally, as_json
from wavegen.files import write_bytes
from wavegen.metrics.metric import Spoken
from wavegen.report.page import counted
from wavegen.report.speech_figures import (
    RANGE_DB,
    metrics_figure,
    pitch_figure,
    spectrogram_figure,
    spectrogram_peak,
)
from wavegen.report.speech_page import write_report
from wavegen.runs.voice import Voice, require_match


def evaluate_voice(
    voice: Voice,
    corpus: Corpus,
    output_directory: str | Path,
    *,
    seed: int = 0,
    max_utterances: int | None = None,
    max_spoken_utterances: int = 4,
    max_teacher_seconds: float = 8.0,
    teacher_temperature: float = 1.0,
    student_temperature: float = 1.0,
    pitch: Callable[..., PitchTrack] | None = None,
    run_directory: str | Path | None = None,
    progress: bool = True,
) -> dict[str, float | None]:
    """Evaluate the voice, write the metrics and the report into ``output_directory``, return the metrics.

    Likelihoods and the KL are computed on the whole test utterances. All systems synthesise the beginnings of
    the first few test utterances, up to ``max_teacher_seconds`` in total, and are compared there, after
    rounding and clipping to 16 bits.

    Args:
        voice: with a teacher, a student, or both; metrics of a missing one are left out.
        corpus: any prepared corpus with the voice's sample rate and feature layout.
        output_directory: gets ``metrics.json``, ``report.html``, ``samples/`` (with ``index.json``),
            ``figures/``.
        seed: of noise, sampling, and bootstrap.
        max_utterances: of the test part; None for all.
        max_spoken_utterances: utterances that are synthesised, compared and shown.
        max_teacher_seconds: of speech in total, divided equally among these utterances.
        teacher_temperature, student_temperature: of the sampling; 1 samples the model.
        pitch: F0 tracker for recordings and estimates; None for the corpus's tracker.
        run_directory: with the configuration and curves for the report; None for the output directory.
        progress: show bars.

    Returns:
        Flat ``system/metric`` keys with ``…_low`` and ``…_high`` for every mean over utterances; None if a
        value could not be measured.

    Raises:
        UserError: if the corpus does not match the voice or has no test utterances, or a model's waveform is
            not finite.
    """
    require_match(voice, corpus, run_directory or output_directory)
    utterances = list(load_utterances(voice, corpus, "test", max_utterances))
    if not utterances:
        raise UserError("evaluate: the corpus has no test utterances, expected at least one.")
    sample_rate, hop_samples = voice.sample_rate, voice.hop_samples
    output = Path(output_directory)
    tally = Tally()
    metrics: dict[str, float | None] = {}

    tally_linear_predictor(load_utterances(voice, corpus, "train"), utterances, sample_rate, tally)
    systems: list[System] = [Recording()]
    if voice.teacher is not None:
        tally_teacher(voice.teacher, utterances, sample_rate, tally, progress=progress)
        systems.append(Teacher(voice.teacher, seed=seed, temperature=teacher_temperature, progress=progress))
        rate = uncached_samples_per_second(voice.teacher, utterances[0], hop_samples)
        metrics["teacher_uncached/samples_per_second"] = rate
        rate = samples_per_second(systems[-1], utterances[0], hop_samples)
        metrics["teacher_cached/samples_per_second"] = rate
    if voice.student is not None:
        systems.append(Student(voice.student, seed=seed, temperature=student_temperature))
        rate = samples_per_second(systems[-1], utterances[0], hop_samples)
        metrics["student/samples_per_second"] = rate
    if voice.teacher is not None and voice.student is not None:
        tally_divergence(voice.student, voice.teacher, utterances, seed, tally, progress=progress)
    systems += [GriffinLim(sample_rate=sample_rate, seed=seed), WhiteNoise(seed=seed)]

    chosen = utterances[:max_spoken_utterances]
    share = max(hop_samples, round(max_teacher_seconds / len(chosen) * sample_rate))
    spoken = [beginning(utterance, share, hop_samples) for utterance in chosen]
    tracker = pitch or corpus.pitch
    entries = compare_systems(systems, spoken, sample_rate, output, tally, pitch=tracker)
    metrics = tally.metrics(seed=seed) | metrics

    names = [system.name for system in systems]
    metrics_figure(metrics, names, output / "figures" / "metrics.png")
    for entry, whole in zip(entries, chosen, strict=True):
        entry["cut_short"] = entry["duration_s"] < whole.waveform.shape[-1] / sample_rate
    cores = counted(os.cpu_count() or 1, f"{platform.machine()} core")
    index = {
        "sample_rate": sample_rate,
        "seed": seed,
        "corpus": corpus.name,
        "systems": names,
        "num_utterances": len(utterances),
        "range_db": round(RANGE_DB),
        "machine": f"{cores} ({torch.get_num_threads()} used by torch)",
        "setup": {
            "Spoken": f"{counted(len(spoken), 'utterance')}, up to {share / sample_rate:.1f} s each",
            "Temperature": f"teacher {teacher_temperature:g}, student {student_temperature:g}",
            "Pitch tracker": type(tracker).__name__,
            "torch": torch.__version__,
        },
        "utterances": entries,
    }
    listing = json.dumps(index, indent=1, ensure_ascii=False)
    write_bytes(output / "samples" / "index.json", listing.encode())
    write_bytes(output / "metrics.json", as_json(metrics).encode())
    write_report(output, run_directory=run_directory)
    return metrics


def compare_systems(
    systems: Sequence[System],
    utterances: Sequence[Utterance],
    sample_rate: int,
    output: Path,
    tally: Tally,
    *,
    pitch: Callable[..., PitchTrack],
) -> list[dict]:
    """Synthesise all utterances with every system; writes sounds and figures, and tallies the distances.

    The first system is the reference. Returns the report's entry of each utterance.
    """
    spoken = {system.name: system.synthesize(utterances) for system in systems}
    entries = []
    for number, utterance in enumerate(utterances):
        reference = utterance.waveform
        peak = spectrogram_peak(reference, sample_rate)
        slug = f"{number:02d}_{re.sub(r'[^A-Za-z0-9_-]+', '_', utterance.id)}"
        tracks: dict[str, PitchTrack] = {}
        samples: dict[str, str] = {}
        spectrograms: dict[str, str] = {}
        for name, waveforms in spoken.items():
            is_reference = name == systems[0].name
            estimate = reference if is_reference else as_written(waveforms[number], name)
            tracks[name] = pitch(estimate.numpy(), sample_rate, reference.shape[-1] * 200 // sample_rate)
            tally_utterance(
                name,
                Spoken(
                    waveform=estimate,
                    reference=reference,
                    sample_rate=sample_rate,
                    pitch=tracks[name],
                    reference_pitch=tracks[systems[0].name],
                ),
                tally,
            )
            samples[name] = f"samples/{slug}_{name}.wav"
            spectrograms[name] = f"figures/{slug}_{name}.png"
            write_waveform(output / samples[name], estimate, sample_rate)
            spectrogram_figure(estimate, sample_rate, peak=peak, path=output / spectrograms[name])
        contours = f"figures/{slug}_pitch.png"
        pitch_figure(
            {name: track for name, track in tracks.items() if name != "white_noise"}, output / contours
        )
        entries.append(
            {
                "id": utterance.id,
                "text": utterance.text,
                "duration_s": reference.shape[-1] / sample_rate,
                "samples": samples,
                "spectrograms": spectrograms,
                "pitch": contours,
            }
        )
    return entries


def as_written(waveform: Tensor, name: str) -> Tensor:
    """The waveform as a 16-bit file has it; raises UserError if it is not finite."""
    if not torch.isfinite(waveform).all():
        raise UserError(f"evaluate: the {name}'s waveform contains NaN or infinity, expected finite samples.")
    return to_grid(waveform.float()).clamp(-1.0, 1.0 - GRID_STEP)

"""Evaluates a voice: test utterances synthesised from their true features, and systems without a model."""

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path

import torch

from wavegen.audio.pitch import PitchTrack
from wavegen.audio.world import has_world
from wavegen.data.speech.corpus import Corpus
from wavegen.devices import compute_device, explain_device
from wavegen.errors import UserError
from wavegen.evaluation.speech.comparison import comparisons, speak
from wavegen.evaluation.speech.distortion import tally_systems
from wavegen.evaluation.speech.examples import write_examples
from wavegen.evaluation.speech.likelihood import tally_bits, tally_divergence, tally_linear_predictor
from wavegen.evaluation.speech.sentences import corpus_sentences
from wavegen.evaluation.speech.speed import samples_per_second, uncached_samples_per_second
from wavegen.evaluation.speech.systems import (
    Recording,
    Student,
    System,
    Teacher,
    baselines,
)
from wavegen.evaluation.speech.test_set import first_seconds, load_utterances
from wavegen.evaluation.tally import Tally, as_json
from wavegen.files import write_bytes
from wavegen.metrics.distortion_registry import DISTORTION, EXTENT, RECOGNISER
from wavegen.report.page import counted
from wavegen.report.speech_figures import RANGE_DB, metrics_figure, overview_figure
from wavegen.report.speech_page import write_report
from wavegen.runs.voice import Voice, require_match
from wavegen.synthesis.temperature import VoicedTemperature

EVALUATED_SPLITS = ("test", "dev")


def evaluate_voice(
    voice: Voice,
    corpus: Corpus,
    output_directory: str | Path,
    *,
    seed: int = 0,
    split: str = "test",
    max_utterances: int | None = None,
    max_spoken_utterances: int | None = None,
    max_teacher_seconds: float | None = 20.0,
    max_shown_utterances: int | None = 4,
    teacher_temperature: float = 1.0,
    teacher_voiced_temperature: float = 1.0,
    student_temperature: float = 1.0,
    device: str = "cpu",
    pitch: Callable[..., PitchTrack] | None = None,
    run_directory: str | Path | None = None,
    progress: bool = True,
) -> dict[str, float | None]:
    """Evaluate the voice, write the metrics and the report into ``output_directory``, return the metrics.

    All systems synthesise the utterances of the split whole and are compared after rounding and clipping to
    16 bits. A teacher, which may be slow, can be limited to the first ``max_teacher_seconds``. Then all
    others have a second set of metrics (``SYSTEM_beside_teacher/…``), on the teacher's utterances only.

    Args:
        voice: with any of source-filter model, teacher and student; metrics of a missing one are left out.
        corpus: any prepared corpus with the voice's sample rate and feature layout.
        output_directory: gets ``metrics.json``, ``report.html``, ``samples/`` (with ``index.json``),
            ``figures/``.
        seed: of noise, sampling, and bootstrap.
        split: of the corpus, ``test`` or ``dev``. Whoever selects by these figures must use dev.
        max_utterances: of the split; None for all.
        max_spoken_utterances: utterances that are synthesised and compared; None for all.
        max_teacher_seconds: that the teacher speaks: the first utterances, whole, of at most this length in
            total, or the beginning of the first one; None for all.
        max_shown_utterances: utterances with players and figures; None for all.
        teacher_temperature, student_temperature: of the sampling; 1 samples the model.
        teacher_voiced_temperature: factor on the teacher's temperature in voiced frames.
        device: where the models compute, see :func:`~wavegen.devices.compute_device`; they stay there. Only a
            teacher's samples are always computed on the CPU. With the CPU, the same seed gives the same bits.
        pitch: F0 tracker for recordings and estimates; None for the corpus's tracker.
        run_directory: with the configuration and curves for the report; None for the output directory.
        progress: show bars.

    Returns:
        Flat ``system/metric`` keys with ``…_low`` and ``…_high`` for every mean over utterances, and
        ``system/measured_s``, the seconds of speech behind them; None if a value could not be measured.
        Metrics and systems whose package is not installed are left out.

    Raises:
        UserError: if the corpus does not match the voice or has no such utterances, the device is missing, or
            a model's waveform is not finite.
    """
    place = compute_device(device)
    require_match(voice, corpus, run_directory or output_directory)
    if split not in EVALUATED_SPLITS:
        raise UserError(f"evaluate: expected the split {' or '.join(EVALUATED_SPLITS)}, got {split!r}")
    utterances = list(load_utterances(voice, corpus, split, max_utterances))
    if not utterances:
        raise UserError(f"evaluate: the corpus has no {split} utterances, expected at least one.")
    voice.to(place)
    sample_rate, hop_samples = voice.sample_rate, voice.hop_samples
    output = Path(output_directory)
    tally = Tally()
    metrics: dict[str, float | None] = {}

    tally_linear_predictor(load_utterances(voice, corpus, "train"), utterances, sample_rate, tally)
    systems: list[System] = [Recording()]
    if voice.source_filter is not None:
        density = voice.source_filter.density
        tally_bits("source_filter", density, utterances, sample_rate, tally, progress=progress)
        systems.append(Student(voice.source_filter.voice, seed=seed, name="source_filter"))
    if voice.teacher is not None:
        tally_bits("teacher", voice.teacher, utterances, sample_rate, tally, progress=progress)
        temperature = VoicedTemperature(
            teacher_voiced_temperature * teacher_temperature, teacher_temperature, hop_samples
        )
        systems.append(Teacher(voice.teacher, seed=seed, temperature=temperature, progress=progress))
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
    models = [system.name for system in systems]
    systems += baselines(sample_rate, seed)

    chosen = utterances[:max_spoken_utterances]
    of_teacher = first_seconds(chosen, max_teacher_seconds, sample_rate, hop_samples)
    spoken = speak(systems, chosen, of_teacher)
    compared = comparisons(spoken, chosen, of_teacher, models=models)
    tracker = pitch or corpus.pitch
    missing = missing_packages()
    sentences = {} if RECOGNISER in missing else corpus_sentences(corpus)
    for comparison in compared:
        tally_systems(
            comparison.spoken,
            comparison.utterances,
            sample_rate,
            tally,
            pitch=tracker,
            sentences=sentences,
        )
        seconds = comparison.num_samples / sample_rate
        metrics |= {f"{name}/{EXTENT.key}": seconds for name in comparison.spoken}
    metrics = tally.metrics(seed=seed) | metrics

    shown = chosen[:max_shown_utterances]
    heard = {name: waveforms[: len(shown)] for name, waveforms in spoken.items()}
    metrics_figure(metrics, list(compared[-1].spoken), output / "figures" / "metrics.png")
    overview_figure({name: heard[name] for name in models}, sample_rate, output / "figures" / "overview.png")
    cores = counted(os.cpu_count() or 1, f"{platform.machine()} core")
    index = {
        "sample_rate": sample_rate,
        "seed": seed,
        "corpus": corpus.name,
        "systems": list(spoken),
        "tables": [list(comparison.spoken) for comparison in compared],
        "num_utterances": len(utterances),
        "range_db": round(RANGE_DB),
        "machine": f"{cores} ({torch.get_num_threads()} used by torch)"
        + ("" if place.type == "cpu" else f", models on {explain_device(place)}"),
        "setup": {
            "Spoken": f"{counted(len(chosen), f'{split} utterance')}, "
            f"{metrics['recording/' + EXTENT.key]:.1f} s",
            "Temperature": f"teacher {teacher_temperature:g}, in voiced frames times "
            f"{teacher_voiced_temperature:g}; student {student_temperature:g}",
            "Pitch tracker": type(tracker).__name__,
            "torch": torch.__version__,
            "Not installed": ", ".join(missing) or "–",
        },
        "utterances": write_examples(heard, shown, sample_rate, output, pitch=tracker),
    }
    listing = json.dumps(index, indent=1, ensure_ascii=False)
    write_bytes(output / "samples" / "index.json", listing.encode())
    write_bytes(output / "metrics.json", as_json(metrics).encode())
    write_report(output, run_directory=run_directory)
    return metrics


def missing_packages() -> list[str]:
    """The packages of metrics and baselines that are not installed; says so if it is the recogniser."""
    packages = dict.fromkeys(metric.package for metric in DISTORTION if not metric.is_available)
    missing = [package for package in packages if package] + ([] if has_world() else ["pyworld"])
    if RECOGNISER in missing:
        print(f"evaluate: {RECOGNISER} is not installed, so phones and sentences heard are not measured.")
    return missing

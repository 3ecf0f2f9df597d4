"""Measures cost against the length of an utterance, the number of layers and the width of the nets."""

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from wavegen.benchmark.children import ask_child
from wavegen.benchmark.nets import make_context, make_student, make_teacher
from wavegen.benchmark.operations import student_operations, wavenet_operations
from wavegen.benchmark.speakers import engine_granule, parallel_student, sequential_teacher
from wavegen.benchmark.streaming import repeats_within, stream_seconds
from wavegen.benchmark.timing import Subject, interleaved
from wavegen.engines.precision import settled_precision
from wavegen.nets.wavenet import WaveNet
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sequential import SequentialSampler

FLOW_LAYERS = 10
"""Layers of a flow when the student's depth is varied: depth grows by flows, as in published students."""

TRIAL_S = 0.25
"""Length in seconds of the trial utterance, from which the time of others is estimated."""


def fit_line(lengths: Sequence[float], seconds: Sequence[float]) -> dict[str, float]:
    r"""The line :math:`a + b x` with the least squared *relative* residuals, and the largest of them.

    If the largest residual is small, cost is linear in the length. With absolute residuals, the longest
    utterances would dominate the fit.
    """
    x, y = np.asarray(lengths, float), np.asarray(seconds, float)
    design = np.stack([1 / y, x / y], 1)
    (start, slope), *_ = np.linalg.lstsq(design, np.ones_like(y), rcond=None)
    residuals = np.abs(start + slope * x - y) / y
    return {
        "seconds_at_0": float(start),
        "seconds_per_s": float(slope),
        "largest_relative_residual": float(residuals.max()),
    }


def in_time(lengths_s: Sequence[float], counts: Sequence[int], seconds_per_s: float, left_s: float) -> float:
    """The factor, at most 1, on all lengths so that ``counts`` repeats of each take ``left_s`` seconds."""
    full_s = seconds_per_s * sum(a * b for a, b in zip(lengths_s, counts, strict=True))
    return min(1.0, max(left_s, 0.0) / full_s)


def _shortened(lengths_s: Sequence[float], factor: float, least_s: float) -> list[float]:
    """All lengths times the factor, to two digits, in ascending order without duplicates."""
    if factor == 1.0:
        return sorted(lengths_s)
    return sorted({max(float(f"{factor * length_s:.2g}"), least_s) for length_s in lengths_s})


def student_against_length(
    config: Mapping[str, Any], threads: int, deadline: float = math.inf
) -> dict[str, Any]:
    """Time and memory of streams of increasing length, by the student in its best precision.

    All lengths are shortened by the same factor if they would not end before ``deadline``.
    """
    precision = settled_precision(config["best_precision"], "student")
    lengths_s, budget_s = config["lengths"]["student_s"], config["lengths"]["student_budget_s"]
    factor = 1.0
    if not math.isinf(deadline):
        counts = [repeats_within(length_s, config["repeats"], budget_s) for length_s in lengths_s]
        pace = _pace_of_student(config, precision, threads)
        factor = in_time(lengths_s, counts, pace, deadline - time.monotonic())
    settings = {
        **config,
        "precision": precision,
        "threads": threads,
        "lengths_s": _shortened(lengths_s, factor, TRIAL_S),
        "budget_s": factor * budget_s,
    }
    measured = ask_child("wavegen.benchmark.streaming", settings)
    streams = measured.pop("streams")
    return {"memory": measured, "length": _against_length(streams, settings["precision"], threads)}


def _pace_of_student(config: Mapping[str, Any], precision: str, threads: int) -> float:
    """Seconds of computation per second of speech."""
    student = make_student(config["student"], config["conditioning"], seed=config["seed"])
    sampler = ParallelSampler(student, precision=precision, num_threads=threads)
    num_samples = round(TRIAL_S * config["sample_rate"])
    context = make_context(config["conditioning"], num_samples)
    stream_seconds(sampler, context, num_samples)  # compiles or loads code
    return stream_seconds(sampler, context, num_samples) / TRIAL_S


def teacher_against_length(
    config: Mapping[str, Any], threads: int, deadline: float = math.inf
) -> dict[str, Any]:
    """Time of utterances of increasing length, by the teacher's engine in its best precision, interleaved.

    All lengths are shortened by the same factor if they would not end before ``deadline``.
    """
    teacher = make_teacher(config["teacher"], config["conditioning"], seed=config["seed"])
    precision = settled_precision(config["best_precision"], "teacher")
    sampler = SequentialSampler(teacher, precision=precision, num_threads=threads)

    def speaking(length_s: float) -> Subject:
        labels = {"subject": "teacher, engine", "precision": precision, "batch_size": 1, "length_s": length_s}
        num_samples = round(length_s * config["sample_rate"])
        return sequential_teacher(sampler, labels, config, threads, granule=num_samples)

    lengths_s, factor = config["lengths"]["teacher_s"], 1.0
    if not math.isinf(deadline):
        trial: dict[str, Any] = {"repeats": 1, "duration_s": 0.0, "title": "the teacher's speed"}
        (pace,) = interleaved([speaking(TRIAL_S)], **trial)
        counts = [config["repeats"] + 2] * len(lengths_s)  # plus two first calls
        per_s = config["sample_rate"] / pace.median
        factor = in_time(lengths_s, counts, per_s, deadline - time.monotonic())
    seconds: dict[float, list[float]] = {s: [] for s in _shortened(lengths_s, factor, TRIAL_S / 10)}
    subjects = [speaking(length_s) for length_s in seconds]
    rounds: dict[str, Any] = {"repeats": config["repeats"], "duration_s": 0.0, "deadline": deadline}
    for measurement in interleaved(subjects, title="lengths", **rounds):
        length_s = measurement.labels["length_s"]
        seconds[length_s] += [length_s * config["sample_rate"] / rate for rate in measurement.rates]
    streams = [{"length_s": length_s, "seconds": values} for length_s, values in seconds.items()]
    return _against_length(streams, precision, threads)


def _against_length(streams: list[dict[str, Any]], precision: str, threads: int) -> dict[str, Any]:
    medians = [statistics.median(stream["seconds"]) for stream in streams]
    return {
        "precision": precision,
        "threads": threads,
        "streams": streams,
        **(fit_line([stream["length_s"] for stream in streams], medians) if len(streams) > 2 else {}),
    }


def against_shape(
    config: Mapping[str, Any], threads: int, deadline: float = math.inf
) -> list[dict[str, Any]]:
    """Rates of both engines, in their best precision, over depths and widths (gate: 2 · residual)."""
    changes = [("layers", layers) for layers in config["shapes"]["num_layers"]]
    changes += [("channels", width) for width in config["shapes"]["channels"]]
    subjects: list[Subject] = []
    operations: list[int] = []
    best = {model: settled_precision(config["best_precision"], model) for model in ("teacher", "student")}
    for axis, value in changes:
        shapes = _changed(config, axis, value)
        teacher = make_teacher(shapes["teacher"], config["conditioning"], seed=config["seed"])
        student = make_student(shapes["student"], config["conditioning"], seed=config["seed"])
        sampler = SequentialSampler(teacher, precision=best["teacher"], num_threads=threads)
        labels = {"subject": "teacher, engine", "precision": best["teacher"], "batch_size": 1, axis: value}
        subjects.append(sequential_teacher(sampler, labels, config, threads, engine_granule(config)))
        operations.append(wavenet_operations(cast(WaveNet, teacher.conditioner)))
        speaker = ParallelSampler(student, precision=best["student"], num_threads=threads)
        labels = {"subject": "student, engine", "precision": best["student"], "batch_size": 1, axis: value}
        subjects.append(parallel_student(speaker, labels, config, threads))
        operations.append(student_operations(student))
    measured = interleaved(
        subjects,
        repeats=config["repeats"],
        duration_s=config["duration_s"],
        title="depths and widths",
        deadline=deadline,
    )
    return [
        {**measurement.record(), "operations_per_sample": count}
        for measurement, count in zip(measured, operations, strict=True)
    ]


def _changed(config: Mapping[str, Any], axis: str, value: int) -> dict[str, dict[str, Any]]:
    """Both shapes with another depth or another width."""
    teacher, student = dict(config["teacher"]), dict(config["student"])
    if axis == "layers":
        whole, rest = divmod(value, FLOW_LAYERS)
        student["num_layers"] = [FLOW_LAYERS] * whole + [rest] * (rest > 0)
        teacher["num_layers"] = value
    else:
        for shape in (teacher, student):
            shape |= {"residual_channels": value, "gate_channels": 2 * value}
        teacher["skip_channels"] = value
    return {"teacher": teacher, "student": student}

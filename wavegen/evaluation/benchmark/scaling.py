"""How cost grows: with the length of an utterance, the number of layers, the width of the nets."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wavegen.evaluation.benchmark.children import ask_child
from wavegen.evaluation.benchmark.nets import make_student, make_teacher
from wavegen.evaluation.benchmark.operations import student_operations, wavenet_operations
from wavegen.evaluation.benchmark.speakers import engine_granule, parallel_student, sequential_teacher
from wavegen.evaluation.benchmark.timing import Subject, interleaved
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sequential import SequentialSampler

FLOW_LAYERS = 10
"""Layers of a flow where the student's depth is varied: it grows by flows, as published students do."""


def fit_line(lengths: Sequence[float], seconds: Sequence[float]) -> dict[str, float]:
    r"""The line :math:`a + b x` with the least squared *relative* residuals, and the largest of them.

    Cost is linear in the length where that residual is small. A fit of absolute ones would look at the
    longest utterances only.
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


def student_against_length(config: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """Streams of growing length and the memory they take, by the student in its best precision."""
    settings = {
        **config,
        "precision": config["best_precision"],
        "threads": threads,
        "lengths_s": config["lengths"]["student_s"],
        "budget_s": config["lengths"]["student_budget_s"],
    }
    measured = ask_child("wavegen.evaluation.benchmark.streaming", settings)
    streams = measured.pop("streams")
    return {"memory": measured, "length": _against_length(streams, settings["precision"], threads)}


def teacher_against_length(config: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """Utterances of growing length by the teacher's engine in its best precision, the lengths in turns."""
    teacher = make_teacher(config["teacher"], config["conditioning"], seed=config["seed"])
    precision = config["best_precision"]
    sampler = SequentialSampler(teacher, precision=precision, num_threads=threads)
    seconds: dict[float, list[float]] = {length_s: [] for length_s in sorted(config["lengths"]["teacher_s"])}
    subjects = []
    for length_s in seconds:
        labels = {"subject": "teacher, engine", "precision": precision, "batch_size": 1, "length_s": length_s}
        num_samples = round(length_s * config["sample_rate"])
        subjects.append(sequential_teacher(sampler, labels, config, threads, granule=num_samples))
    for measurement in interleaved(subjects, repeats=config["repeats"], duration_s=0.0, title="lengths"):
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


def against_shape(config: Mapping[str, Any], threads: int) -> list[dict[str, Any]]:
    """Rates of both engines, in their best precision, over depths and widths; a gate is twice as wide."""
    changes = [("layers", layers) for layers in config["shapes"]["num_layers"]]
    changes += [("channels", width) for width in config["shapes"]["channels"]]
    subjects: list[Subject] = []
    operations: list[int] = []
    precision = config["best_precision"]
    for axis, value in changes:
        shapes = _changed(config, axis, value)
        teacher = make_teacher(shapes["teacher"], config["conditioning"], seed=config["seed"])
        student = make_student(shapes["student"], config["conditioning"], seed=config["seed"])
        labels = {"precision": precision, "batch_size": 1, axis: value}
        sampler = SequentialSampler(teacher, precision=precision, num_threads=threads)
        labels_of = {"subject": "teacher, engine", **labels}
        subjects.append(sequential_teacher(sampler, labels_of, config, threads, engine_granule(config)))
        operations.append(wavenet_operations(teacher.conditioner))
        sampler = ParallelSampler(student, precision=precision, num_threads=threads)
        subjects.append(parallel_student(sampler, {"subject": "student, engine", **labels}, config, threads))
        operations.append(student_operations(student))
    measured = interleaved(
        subjects, repeats=config["repeats"], duration_s=config["duration_s"], title="depths and widths"
    )
    return [
        {**measurement.record(), "operations_per_sample": count}
        for measurement, count in zip(measured, operations, strict=True)
    ]


def _changed(config: Mapping[str, Any], axis: str, value: int) -> dict[str, dict[str, Any]]:
    """Both shapes with that depth, or with that width in place of theirs."""
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

"""The whole benchmark: its sections in their order, everything found in one record."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from wavegen.errors import UserError
from wavegen.evaluation.benchmark.first_audio import fresh_processes, time_to_first_audio
from wavegen.evaluation.benchmark.machine import describe_machine, fastest_product, machine_peak
from wavegen.evaluation.benchmark.nets import make_student, make_teacher
from wavegen.evaluation.benchmark.operations import student_operations, wavenet_operations
from wavegen.evaluation.benchmark.peer import MISSING, find_peer, peer_subjects
from wavegen.evaluation.benchmark.scaling import against_shape, student_against_length, teacher_against_length
from wavegen.evaluation.benchmark.speakers import student_subjects, teacher_subjects
from wavegen.evaluation.benchmark.timing import Subject, interleaved
from wavegen.evaluation.benchmark.training_steps import training_subjects
from wavegen.workers import available_cores

SECTIONS = ("machine", "teacher", "student", "peer", "training", "first_audio", "shape", "length")
PRECISIONS = ("float32", "bfloat16")


def measure(config: Mapping[str, Any], chosen: Sequence[str] = SECTIONS) -> dict[str, Any]:
    """Runs the chosen sections, with the sizes that ``configs/benchmark.yaml`` explains.

    Returns:
        ``machine``, ``settings``, ``notes`` and what the chosen sections found: ``peak``, ``rates``,
        ``operations``, ``training``, ``first_audio``, ``shape``, ``teacher_length``, ``student_length``,
        ``memory``.

    Raises:
        UserError: for a number of threads below 1.
    """
    threads = available_cores() if config["threads"] is None else config["threads"]
    if threads < 1:
        raise UserError(f"threads: expected at least 1 or null, got {threads}")
    torch.set_num_threads(threads)
    timing = {"repeats": config["repeats"], "duration_s": config["duration_s"]}
    results: dict[str, Any] = {"machine": describe_machine(threads), "settings": dict(config), "notes": []}
    results |= _rates(config, chosen, threads, timing, results["notes"])
    if "training" in chosen:
        subjects = training_subjects(config, threads)
        measured = interleaved(subjects, title="training steps", **timing)
        results["training"] = [measurement.record() for measurement in measured]
    if "first_audio" in chosen:
        results["first_audio"] = {"warm": time_to_first_audio(config, threads)}
        if config["fresh_processes"]:
            results["first_audio"]["fresh_process"] = fresh_processes(config, threads)
    if "shape" in chosen:
        results["shape"] = against_shape(config, threads)
    if "length" in chosen:
        results["teacher_length"] = teacher_against_length(config, threads)
        found = student_against_length(config, threads)
        results["memory"], results["student_length"] = found["memory"], found["length"]
    return results


def chosen_sections(only: Sequence[str] | None) -> tuple[str, ...]:
    """The sections to run, in their order; all of them for None.

    Raises:
        UserError: for a section that there is not, or for none.
    """
    unknown = [name for name in only or () if name not in SECTIONS]
    if unknown or (only is not None and not only):
        raise UserError(f"only: expected some of {', '.join(SECTIONS)}, got {', '.join(unknown) or 'none'}")
    return SECTIONS if only is None else tuple(name for name in SECTIONS if name in only)


def _rates(
    config: Mapping[str, Any],
    chosen: Sequence[str],
    threads: int,
    timing: Mapping[str, Any],
    notes: list[str],
) -> dict[str, Any]:
    """Machine, teacher, student and peer, who take turns in one round: they are held against each other."""
    results: dict[str, Any] = {}
    subjects: list[Subject] = []
    if {"machine", "student"} & set(chosen):
        peak = machine_peak(config["matrix_sizes"], threads, **timing)
        results["peak"] = [m.record("operations_per_second") for sizes in peak.values() for m in sizes]
        if "student" in chosen:
            subjects += [fastest_product(peak, precision) for precision in PRECISIONS]
    if "peer" in chosen:
        package = find_peer()
        if package is None:
            notes.append(MISSING)
        else:
            subjects += peer_subjects(package, config, threads)
    if "teacher" in chosen:
        subjects += teacher_subjects(config, threads)
    if "student" in chosen:
        subjects += student_subjects(config, threads)
    if subjects:
        measured = interleaved(subjects, title="samplers", **timing)
        products = [m for m in measured if "matrix_size" in m.labels]
        results["rates"] = [m.record() for m in measured if m not in products]
        results["peak_beside_student"] = [m.record("operations_per_second") for m in products]
        seed, conditioning = config["seed"], config["conditioning"]
        student = make_student(config["student"], conditioning, seed=seed)
        teacher = make_teacher(config["teacher"], conditioning, seed=seed)
        results["operations_per_sample"] = {
            "teacher": wavenet_operations(teacher.conditioner),
            "student": student_operations(student),
        }
    return results

"""Runs the sections of the benchmark in order and collects their results."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch

from wavegen.benchmark.budget import Budget
from wavegen.benchmark.first_audio import fresh_processes, time_to_first_audio
from wavegen.benchmark.machine import describe_machine, fastest_product, machine_peak
from wavegen.benchmark.nets import make_student, make_teacher
from wavegen.benchmark.operations import student_operations, wavenet_operations
from wavegen.benchmark.peer import MISSING, find_peer, peer_subjects
from wavegen.benchmark.precisions import left_out
from wavegen.benchmark.scaling import against_shape, student_against_length, teacher_against_length
from wavegen.benchmark.speakers import student_subjects, teacher_subjects
from wavegen.benchmark.timing import Subject, interleaved
from wavegen.benchmark.training_steps import training_subjects
from wavegen.devices import compute_device, explain_device
from wavegen.errors import UserError
from wavegen.nets.wavenet import WaveNet
from wavegen.workers import available_cores

SECTIONS = ("machine", "teacher", "student", "peer", "training", "first_audio", "shape", "length")

ON_DEVICES = ("machine", "student", "training")
"""Sections that PyTorch computes on another device than the CPU; the others measure engines."""

SECONDS = {
    "peak": 30,
    "rates": 220,
    "training": 90,
    "first_audio": 10,
    "fresh_process": 150,
    "shape": 130,
    "teacher_length": 30,
    "student_length": 290,
}
"""Seconds of each entry of the results on two cores of a server CPU with AVX-512, without compiled code: the
weights of their shares of the total time."""

ENTRIES = {
    "machine": {"peak"},
    "teacher": {"rates"},
    "student": {"peak", "rates"},
    "peer": {"rates"},
    "training": {"training"},
    "first_audio": {"first_audio", "fresh_process"},
    "shape": {"shape"},
    "length": {"teacher_length", "student_length"},
}
"""The entries that each section needs."""

MARGIN = 0.95
"""Share of the total time for the entries; the rest is for loading, drawing and estimation errors."""

OnResults = Callable[[Mapping[str, Any]], object]


def measure(
    config: Mapping[str, Any], chosen: Sequence[str] = SECTIONS, on_results: OnResults = lambda results: None
) -> dict[str, Any]:
    """Run the chosen sections, with the sizes that ``configs/benchmark.yaml`` explains.

    Args:
        config: of the recipe.
        chosen: names of sections.
        on_results: called with all results so far after each new one.

    Returns:
        ``machine``, ``settings``, ``notes``, ``left_out`` and the results of the chosen sections: ``peak``,
        ``rates``, ``operations_per_sample``, ``training``, ``first_audio``, ``shape``, ``teacher_length``,
        ``student_length``, ``memory``.

    Raises:
        UserError: if ``threads`` is below 1, ``max_minutes`` is not above 0, or the device is missing.
    """
    device = compute_device(config.get("device", "cpu"))
    threads = available_cores() if config["threads"] is None else config["threads"]
    if threads < 1:
        raise UserError(f"threads: expected at least 1 or null, got {threads}")
    budget = _budget(config, chosen)
    torch.set_num_threads(threads)
    timing = {"repeats": config["repeats"], "duration_s": config["duration_s"]}
    results: dict[str, Any] = {"machine": describe_machine(threads), "settings": dict(config), "notes": []}
    if device.type == "cpu":
        results["left_out"] = left_out()
    else:
        results["left_out"] = {}
        results["notes"].append(f"computed by PyTorch on {explain_device(device)}; the CPU has engines")
    on_results(results)
    if {"peak", "rates"} & _entries(config, chosen):
        _rates(config, chosen, threads, timing, budget, results, on_results, device)
    if "training" in chosen:
        subjects, deadline = training_subjects(config, threads, device), budget.deadline("training")
        measured = interleaved(subjects, title="training steps", deadline=deadline, **timing)
        results["training"] = [measurement.record() for measurement in measured]
        on_results(results)
    if "first_audio" in chosen:
        found: dict[str, Any] = {"warm": time_to_first_audio(config, threads, budget.deadline("first_audio"))}
        if config["fresh_processes"]:
            found["fresh_process"] = fresh_processes(config, threads, budget.deadline("fresh_process"))
        results["first_audio"] = found
        on_results(results)
    if "shape" in chosen:
        results["shape"] = against_shape(config, threads, budget.deadline("shape"))
        on_results(results)
    if "length" in chosen:
        deadline = budget.deadline("teacher_length")
        results["teacher_length"] = teacher_against_length(config, threads, deadline)
        found = student_against_length(config, threads, budget.deadline("student_length"))
        results["memory"], results["student_length"] = found["memory"], found["length"]
        on_results(results)
    return results


def _entries(config: Mapping[str, Any], chosen: Sequence[str]) -> set[str]:
    entries = set().union(*(ENTRIES[section] for section in chosen))
    return entries if config["fresh_processes"] else entries - {"fresh_process"}


def _budget(config: Mapping[str, Any], chosen: Sequence[str]) -> Budget:
    minutes = config["max_minutes"]
    if minutes is not None and minutes <= 0:
        raise UserError(f"max_minutes: expected more than 0 or null, got {minutes}")
    seconds = math.inf if minutes is None else 60 * MARGIN * minutes
    return Budget(seconds, {entry: SECONDS[entry] for entry in _entries(config, chosen)})


def chosen_sections(only: Sequence[str] | None, device: str = "cpu") -> tuple[str, ...]:
    """The sections to run, in their order; for None all that there are on the device.

    Raises:
        UserError: if a section is unknown or needs the CPU's engines, the list is empty, or the device is
            missing.
    """
    possible = SECTIONS if compute_device(device).type == "cpu" else ON_DEVICES
    unknown = [name for name in only or () if name not in SECTIONS]
    if unknown or (only is not None and not only):
        raise UserError(f"only: expected some of {', '.join(SECTIONS)}, got {', '.join(unknown) or 'none'}")
    engines = [name for name in only or () if name not in possible]
    if engines:
        raise UserError(
            f"only={','.join(engines)} measures the CPU's engines, expected device=cpu, or some of "
            f"{', '.join(possible)}"
        )
    return possible if only is None else tuple(name for name in possible if name in only)


def _rates(
    config: Mapping[str, Any],
    chosen: Sequence[str],
    threads: int,
    timing: Mapping[str, Any],
    budget: Budget,
    results: dict[str, Any],
    on_results: OnResults,
    device: torch.device,
) -> None:
    """Measure machine, teacher, student and peer, interleaved because they are compared with each other."""
    subjects: list[Subject] = []
    if {"machine", "student"} & set(chosen):
        deadline = budget.deadline("peak")
        peak = machine_peak(config["matrix_sizes"], threads, deadline=deadline, device=device, **timing)
        results["peak"] = [m.record("operations_per_second") for sizes in peak.values() for m in sizes]
        on_results(results)
        if "student" in chosen:
            subjects += [fastest_product(peak, precision, device) for precision in peak]
    if "peer" in chosen:
        package = find_peer()
        if package is None:
            results["notes"].append(MISSING)
        else:
            subjects += peer_subjects(package, config, threads)
    if "teacher" in chosen:
        subjects += teacher_subjects(config, threads)
    if "student" in chosen:
        subjects += student_subjects(config, threads, device)
    if subjects:
        measured = interleaved(subjects, title="samplers", deadline=budget.deadline("rates"), **timing)
        products = [m for m in measured if "matrix_size" in m.labels]
        results["rates"] = [m.record() for m in measured if m not in products]
        results["peak_beside_student"] = [m.record("operations_per_second") for m in products]
        seed, conditioning = config["seed"], config["conditioning"]
        student = make_student(config["student"], conditioning, seed=seed)
        teacher = make_teacher(config["teacher"], conditioning, seed=seed)
        results["operations_per_sample"] = {
            "teacher": wavenet_operations(cast(WaveNet, teacher.conditioner)),
            "student": student_operations(student),
        }
        on_results(results)

"""Compares measurements: ratios, and shares of the machine's peak."""

from collections.abc import Mapping, Sequence
from typing import Any

from wavegen.benchmark.peer import PEER

Record = Mapping[str, Any]

PUBLISHED_GPU = {"student_samples_per_second": 500_000, "student_against_sequential_teacher": 2_900}
"""Published by Parallel WaveNet (arXiv 1711.10433), on one P100."""


def select(records: Sequence[Record], **labels: Any) -> list[Record]:
    """The records that have all these labels."""
    return [r for r in records if all(r.get(key) == value for key, value in labels.items())]


def fastest(records: Sequence[Record], **labels: Any) -> float | None:
    """The highest median rate among the records that have all these labels; None if there are none."""
    return max((record["samples_per_second"] for record in select(records, **labels)), default=None)


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    """The quotient, None if one of them was not measured."""
    return None if numerator is None or denominator is None else numerator / denominator


def peer_rate(results: Mapping[str, Any], batch_size: int) -> float | None:
    """The peer's rate, with its best number of threads."""
    return fastest(results.get("rates", ()), subject=PEER, batch_size=batch_size)


def uncached_rate(results: Mapping[str, Any]) -> float | None:
    """The teacher's rate without cached states."""
    return fastest(results.get("rates", ()), subject="teacher, uncached")


def student_share_of_peak(results: Mapping[str, Any], precision: str) -> float | None:
    """Operations per second of the student's convolutions, as a share of those of the matrix product."""
    rate = fastest(results.get("rates", ()), subject="student, engine", precision=precision)
    peak = select(results.get("peak_beside_student", ()), precision=precision)
    if rate is None or not peak:
        return None
    return rate * results["operations_per_sample"]["student"] / peak[0]["operations_per_second"]


def headlines(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The summary of the benchmark: rows of ``what``, ``unit``, ``measured``.

    ``measured`` is None if a section or the peer is missing. The benchmarks' README gives the project's
    thresholds.
    """
    rates, batch = results.get("rates", ()), results["settings"]["batch_size"]
    engine = {"subject": "teacher, engine"}
    student = fastest(rates, subject="student, engine")
    alone, together = peer_rate(results, 1), peer_rate(results, batch)
    cached = fastest(rates, **engine, batch_size=1)
    steps = results.get("training", ())
    plain_step = fastest(steps, subject="distillation step", form="plain")
    first = [
        record["milliseconds"]
        for record in results.get("first_audio", {}).get("warm", ())
        if record["subject"].startswith("student")
    ]
    residual = results.get("student_length", {}).get("largest_relative_residual")
    share = student_share_of_peak(results, "float32")
    plain = fastest(rates, subject="student, one pass of conv1d", precision="float32")
    one = fastest(rates, **engine, precision="float32", batch_size=1)
    rows = [
        ("teacher's engine, float32, one utterance, against the peer", "×", ratio(one, alone)),
        ("the same, best precision", "×", ratio(cached, alone)),
        (
            f"teacher's engine, {batch} utterances, against the peer's {batch}",
            "×",
            ratio(fastest(rates, **engine, batch_size=batch), together),
        ),
        (
            "student, float32: share of the matrix product's operations",
            "%",
            None if share is None else 100 * share,
        ),
        (
            "student, best precision, against one float32 pass of conv1d",
            "×",
            ratio(student, plain),
        ),
        (
            "student against the uncached teacher",
            "×",
            ratio(student, uncached_rate(results)),
        ),
        ("student against the teacher's engine, both at their best", "×", ratio(student, cached)),
        (
            "distillation step, best form, against plain float32",
            "×",
            ratio(fastest(steps, subject="distillation step"), plain_step),
        ),
        (
            "student's cost against length: largest residual of the line",
            "%",
            None if residual is None else 100 * residual,
        ),
        ("student's first block, slower precision", "ms", max(first, default=None)),
        (
            "peak memory of the longest stream",
            "MB",
            results.get("memory", {}).get("peak_mb"),
        ),
    ]
    return [{"what": what, "unit": unit, "measured": measured} for what, unit, measured in rows]


def gpu_rows() -> dict[str, Any]:
    """The published GPU figures, without measured ones: this benchmark measures a CPU."""
    return {name: {"published": value, "measured": None} for name, value in PUBLISHED_GPU.items()}

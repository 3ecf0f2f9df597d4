"""Prints the benchmark's tables, for a terminal of 100 columns, and writes its files."""

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wavegen.benchmark.figure import benchmark_figure
from wavegen.benchmark.summary import (
    fastest,
    gpu_rows,
    headlines,
    peer_rate,
    ratio,
    student_share_of_peak,
    uncached_rate,
)
from wavegen.engines.precision import PRECISIONS
from wavegen.files import write_bytes
from wavegen.report.tables import text_table

WIDTH = 100
ENTRIES = ("peak", "rates", "training", "shape")
"""Entries of the results that are lists of timed subjects."""
NO_GPU = "No GPU was measured: its rows in benchmark.json are empty."


class Report:
    """Prints every table when its results are complete, and writes the files at the end.

    Args:
        run: the folder of ``benchmark.json`` and ``benchmark.png``.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._shown: set[Callable] = set()

    def show(self, results: Mapping[str, Any]) -> None:
        """Print the tables that are complete and have not been printed yet."""
        for part in PARTS:
            if part not in self._shown and (lines := list(part(results))):
                print("\n".join([*([""] if self._shown else []), *lines]), flush=True)
                self._shown.add(part)

    def finish(self, results: Mapping[str, Any]) -> None:
        """Write the files, and print the remaining tables and notes."""
        results = complete(results)
        write_bytes(self.run / "benchmark.json", (json.dumps(results, indent=1) + "\n").encode())
        benchmark_figure(results, self.run / "benchmark.png")
        self.show(results)


def complete(results: Mapping[str, Any]) -> dict[str, Any]:
    """The results of all sections, with notes and comparisons between sections."""
    no_gpu = [NO_GPU] if results["settings"].get("device", "cpu") == "cpu" else []
    return {
        **results,
        "notes": [*results["notes"], *warnings_of(results), *_shortened(results), *no_gpu],
        "gpu": gpu_rows(),
        "headlines": headlines(results),
        "student_share_of_peak": _shares_of_peak(results),
    }


def _shares_of_peak(results: Mapping[str, Any]) -> dict[str, float | None]:
    return {precision: student_share_of_peak(results, precision) for precision in PRECISIONS}


def _shortened(results: Mapping[str, Any]) -> list[str]:
    """A note about measurements that were shortened for lack of time; empty if there are none."""
    records = [record for name in ENTRIES for record in results.get(name, ())]
    cut = sum(record.get("shortened", False) for record in records)
    fresh = results.get("first_audio", {}).get("fresh_process")
    lengths = [
        f"{name}'s lengths up to {found['streams'][-1]['length_s']:g} s"
        for name in ("teacher", "student")
        if (found := results.get(f"{name}_length"))
        and found["streams"][-1]["length_s"] < max(results["settings"]["lengths"][f"{name}_s"])
    ]
    parts = [f"{cut} of {len(records)} subjects have shorter or fewer calls"] * bool(cut) + lengths
    parts += ["new processes were stopped"] * (fresh is not None and len(fresh) < 2)
    if not parts:
        return []
    return [f"To end within {results['settings']['max_minutes']:g} minutes: {', '.join(parts)}."]


def warnings_of(results: Mapping[str, Any]) -> list[str]:
    """The warnings of the subjects' first calls, without duplicates."""
    records = [record for name in ENTRIES for record in results.get(name, ())]
    return list(dict.fromkeys(f"{r['subject']}: {text}" for r in records for text in r["warnings"]))


def number(value: float | None) -> str:
    """Three significant digits with separated thousands; a dash for None."""
    if value is None:
        return "–"
    digits = f"{value:.3g}"
    return f"{float(digits):,.0f}" if abs(value) >= 100 else f"{float(digits):.6g}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _machine(results: Mapping[str, Any]) -> Iterator[str]:
    machine = results["machine"]
    versions = ", ".join(f"{name} {machine['versions'][name]}" for name in ("torch", "numba"))
    features = ", ".join(machine["features"]) or "none of note"
    if "compiled_for" in machine:  # missing in files of the first format
        features = f"engines for {machine['compiled_for']}, {features}; torch {machine['torch_capability']}"
    yield from _wrapped(
        f"{machine['processor']}, {machine['threads']} of {machine['cores']} cores ({features}); {versions}"
    )


def _left_out(results: Mapping[str, Any], entry: str) -> Iterator[str]:
    for reason in results.get("left_out", {}).get(entry, ()):
        yield from _wrapped(f"not measured: {reason}")


def _peak(results: Mapping[str, Any]) -> Iterator[str]:
    if "peak" in results:
        rows = [
            [f"{r['precision']}, {r['matrix_size']}²", number(r["operations_per_second"] / 1e9)]
            for r in results["peak"]
        ]
        yield from text_table(["matrix product", "GFLOP/s"], rows)
        yield from _left_out(results, "peak")


def _samplers(results: Mapping[str, Any]) -> Iterator[str]:
    if not results.get("rates"):
        return
    sample_rate, uncached = results["settings"]["sample_rate"], uncached_rate(results)
    rows = []
    for record in results["rates"]:
        rate, batch = record["samples_per_second"], record["batch_size"]
        of = f", {batch} utterances" if batch > 1 else ""
        cells = [f"{record['subject']}, {record['precision']}{of}", str(record["threads"]), number(rate)]
        cells += [number(rate / sample_rate), number(ratio(rate, peer_rate(results, batch)))]
        rows.append([*cells, number(ratio(rate, uncached))])
    yield from text_table(["samplers", "threads", "samples/s", "× real time", "× peer", "× uncached"], rows)
    yield from _left_out(results, "rates")
    for precision, share in _shares_of_peak(results).items():
        if share is not None:
            operations = results["operations_per_sample"]["student"] / 1e6
            yield from _wrapped(
                f"student, {precision}: {100 * share:.0f} % of the matrix product's operations per second "
                f"({operations:.2f} million per sample)"
            )


def _training(results: Mapping[str, Any]) -> Iterator[str]:
    if "training" not in results:
        return
    records = results["training"]
    rows = []
    for record in sorted(records, key=lambda record: record["subject"], reverse=True):
        plain = fastest(records, subject=record["subject"], form="plain")
        name = f"{record['subject']}, {record['form']}"
        if record["precision"] not in name:
            name += f", {record['precision']}"
        rate = record["samples_per_second"]
        rows.append([name, str(record["threads"]), number(rate), number(ratio(rate, plain))])
    yield from text_table(["training", "threads", "samples/s", "× plain"], rows)
    yield from _left_out(results, "training")


def _first_audio(results: Mapping[str, Any]) -> Iterator[str]:
    if "first_audio" not in results:
        return
    fresh = results["first_audio"].get("fresh_process", {})
    header = ["time to first audio", "ms", "lowest", "highest", "samples"]
    header += [f"{name}, s" for name in fresh]
    rows = []
    for i, record in enumerate(results["first_audio"]["warm"]):
        cells = [f"{record['subject']}, {record['precision']}"]
        cells += [number(record[key]) for key in ("milliseconds", "lowest", "highest", "samples")]
        cells += [number(records[i]["build_s"] + records[i]["first_sound_s"]) for records in fresh.values()]
        rows.append(cells)
    yield from text_table(header, rows)
    yield from _left_out(results, "first_audio")
    if fresh:
        yield from _wrapped(
            "In seconds: the time of a new process from the model to its first audio, with the engines in "
            "this order. compiling: without compiled code; loading: with code that an earlier process has "
            "compiled."
        )


def _shapes(results: Mapping[str, Any]) -> Iterator[str]:
    for axis in ("layers", "channels"):
        records = [record for record in results.get("shape", ()) if axis in record]
        if not records:
            continue
        sizes = list(dict.fromkeys(record[axis] for record in records))
        rows = [
            [f"{subject}, {precision}"]
            + [number(fastest(records, subject=subject, **{axis: size})) for size in sizes]
            for subject, precision in dict.fromkeys((r["subject"], r["precision"]) for r in records)
        ]
        yield from text_table([f"samples/s by {axis}", *map(str, sizes)], rows)


def _lengths(results: Mapping[str, Any]) -> Iterator[str]:
    for name in ("teacher", "student"):
        found = results.get(f"{name}_length")
        if found and "seconds_per_s" in found:
            lengths = [stream["length_s"] for stream in found["streams"]]
            yield from _wrapped(
                f"{name}, {lengths[0]:g} to {lengths[-1]:g} s of speech, {found['precision']}: "
                f"{found['seconds_per_s']:.3f} s per second {found['seconds_at_0']:+.3f} s, "
                f"largest deviation from the line {100 * found['largest_relative_residual']:.1f} %"
            )


def _memory(results: Mapping[str, Any]) -> Iterator[str]:
    if "memory" in results:
        memory = results["memory"]
        yield from _wrapped(
            f"memory of a stream of {memory['length_s']:g} s: peak {memory['peak_mb']:.0f} MB; "
            f"{memory['after_imports_mb']:.0f} MB after imports, "
            f"{memory['with_model_and_features_mb']:.0f} MB with model and features"
        )


def _headlines(results: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        [row["what"], f"{number(row['measured'])} {row['unit']}"]
        for row in results.get("headlines", ())
        if row["measured"] is not None
    ]
    if rows:
        yield from text_table(["summary", "measured"], rows)


def _notes(results: Mapping[str, Any]) -> Iterator[str]:
    if "headlines" in results:  # all sections are complete
        for note in results["notes"]:
            yield from _wrapped(note)


PARTS = (_machine, _peak, _samplers, _training, _first_audio, _shapes, _lengths, _memory, _headlines, _notes)
"""Parts of the report, in the order of the measurements."""

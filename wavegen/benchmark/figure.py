"""Draws the benchmark's figure: rates, cost against length, rates against depth and width."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from wavegen.benchmark.peer import PEER
from wavegen.report.plots import STYLE, bare, save

COLOURS = {"teacher": "#1769aa", "student": "#d1495b", PEER: "#a0a4ab"}
INK = "#30343b"


def benchmark_figure(results: Mapping[str, Any], path: Path) -> None:
    """Draw the results; panels of sections that were not run are left out."""
    bars = _best_of_threads(results.get("rates", ()))
    fits = {n: results[f"{n}_length"] for n in ("teacher", "student") if f"{n}_length" in results}
    shapes = [a for a in ("layers", "channels") if any(a in r for r in results.get("shape", ()))]
    right = bool(fits) + len(shapes)
    figure = Figure(figsize=(10.4 if right and bars else 6.2, 5.4), layout="constrained")
    left: FigureBase = figure
    column: FigureBase = figure
    if bars and right:
        left, column = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.5, 1])[0]
    if bars:
        _rates(left.add_subplot(), bars, results)
    panels: list[Axes] = list(column.subplots(right, 1, squeeze=False)[:, 0]) if right else []
    drawings: list[Callable[[Axes], None]] = [partial(_lengths, fits=fits)] * bool(fits)
    drawings += [partial(_shapes, records=results["shape"], axis=axis) for axis in shapes]
    for axes, draw in zip(panels, drawings, strict=True):
        draw(axes)
    column.align_ylabels(panels)
    if not bars and not right:
        _products(figure.add_subplot(), results.get("peak", ()))
    save(figure, path)


def _best_of_threads(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    best: dict[tuple, Mapping[str, Any]] = {}
    for record in records:
        key = (record["subject"], record["precision"], record["batch_size"])
        if key not in best or record["samples_per_second"] > best[key]["samples_per_second"]:
            best[key] = record
    return sorted(best.values(), key=lambda record: record["samples_per_second"])


def _rates(axes: Axes, bars: Sequence[Mapping[str, Any]], results: Mapping[str, Any]) -> None:
    sample_rate = results["settings"]["sample_rate"]
    rates = [record["samples_per_second"] for record in bars]
    labels = []
    for record in bars:
        batch = f", {record['batch_size']} utterances" if record["batch_size"] > 1 else ""
        labels.append(f"{record['subject']}{batch}, {record['precision']}")
    colours = [COLOURS.get(r["subject"].partition(",")[0], COLOURS[PEER]) for r in bars]
    axes.barh(range(len(bars)), rates, color=colours, height=0.66)
    low, high = [[abs(r["samples_per_second"] - r[end]) for r in bars] for end in ("lowest", "highest")]
    axes.errorbar(
        rates, range(len(bars)), xerr=[low, high], fmt="none", ecolor=INK, elinewidth=0.9, capsize=2
    )
    for position, record in enumerate(bars):
        text = f"{float(format(record['samples_per_second'], '.3g')):,.6g}"
        axes.annotate(
            text,
            (record["highest"], position),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )
    axes.axvline(sample_rate, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    axes.annotate(
        f"real time at {sample_rate / 1000:g} kHz",
        (sample_rate, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        fontsize=7.5,
        color=INK,
    )
    axes.set_xscale("log")
    axes.set_xlim(min(rates) / 3, max(max(rates), sample_rate) * 6)
    axes.set_yticks(range(len(bars)), labels)
    axes.set_xlabel("samples per second, all utterances together", fontsize=8, color=INK)
    _finish(axes, grid="x")
    axes.tick_params(axis="y", length=0)


def _lengths(axes: Axes, fits: Mapping[str, Mapping[str, Any]]) -> None:
    everything: list[float] = []
    for name, found in fits.items():
        lengths = [stream["length_s"] for stream in found["streams"]]
        medians = [statistics.median(stream["seconds"]) for stream in found["streams"]]
        axes.plot(lengths, medians, "o", color=COLOURS[name], markersize=4, label=name)
        if "seconds_per_s" in found:
            line = [found["seconds_at_0"] + found["seconds_per_s"] * x for x in lengths]
            axes.plot(lengths, line, color=COLOURS[name], linewidth=1)
        everything += lengths
    ends = [min(everything), max(everything)]
    axes.plot(ends, ends, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0, label="real time")
    axes.set(xscale="log", yscale="log")
    _plain_ticks(axes.xaxis)
    _plain_ticks(axes.yaxis)
    axes.set_xlabel("seconds of speech", fontsize=8, color=INK)
    axes.set_ylabel("seconds of synthesis", fontsize=8, color=INK)
    _finish(axes)
    axes.legend(fontsize=7.5, frameon=False)


def _plain_ticks(axis: Axis, subs: Sequence[float] = (1,)) -> None:
    """Plain numbers on a logarithmic axis, at powers of ten or at ``subs`` times each power."""
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set_minor_locator(NullLocator())


def _shapes(axes: Axes, records: Sequence[Mapping[str, Any]], axis: str) -> None:
    chosen = [record for record in records if axis in record]
    for subject in dict.fromkeys(record["subject"] for record in chosen):
        points = [(r[axis], r["samples_per_second"]) for r in chosen if r["subject"] == subject]
        name = subject.partition(",")[0]
        axes.plot(
            *zip(*points, strict=True), "o-", color=COLOURS[name], markersize=4, linewidth=1, label=name
        )
    sizes = sorted({record[axis] for record in chosen})
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    _plain_ticks(axes.yaxis, subs=(1, 2, 5))
    axes.set_xlabel({"layers": "layers", "channels": "residual channels"}[axis], fontsize=8, color=INK)
    axes.set_ylabel("samples per second", fontsize=8, color=INK)
    _finish(axes)
    axes.legend(fontsize=7.5, frameon=False)


def _products(axes: Axes, records: Sequence[Mapping[str, Any]]) -> None:
    for precision in dict.fromkeys(record["precision"] for record in records):
        points = sorted(
            (r["matrix_size"], r["operations_per_second"] / 1e9)
            for r in records
            if r["precision"] == precision
        )
        axes.plot(*zip(*points, strict=True), "o-", markersize=4, linewidth=1, label=precision)
    axes.set_xlabel("rows and columns", fontsize=8, color=INK)
    axes.set_ylabel("GFLOP/s of the matrix product", fontsize=8, color=INK)
    axes.set_ylim(bottom=0)
    _finish(axes)
    if records:
        axes.legend(fontsize=7.5, frameon=False)


def _finish(axes: Axes, grid: str = "y") -> None:
    axes.tick_params(**STYLE)
    bare(axes)
    if grid == "x":
        axes.grid(visible=False, axis="y")
        axes.grid(axis="x", color="#e4e6ea", linewidth=0.6)

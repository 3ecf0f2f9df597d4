"""The report page of a voice: one HTML page with embedded sounds and figures, which needs no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from wavegen.files import write_bytes
from wavegen.metrics.distortion_registry import DISTORTION, EXTENT
from wavegen.metrics.metric import Metric
from wavegen.metrics.registry import LIKELIHOOD, SPEED
from wavegen.report.curves import read_curves
from wavegen.report.page import number, read_json, render
from wavegen.report.plots import loss_figure
from wavegen.report.speech_findings import findings
from wavegen.report.systems import BESIDE_TEACHER, SYSTEM_NOTES, SYSTEM_TITLES

TEMPLATE = "speech_page.html.jinja"
ARROWS = {"lower": "↓", "higher": "↑", "near": "≈"}
DIRECTIONS = {
    "lower": "lower is better",
    "higher": "higher is better",
    "near": "nearer to the recording is better",
}


def write_report(
    directory: str | Path, *, run_directory: str | Path | None = None, title: str | None = None
) -> Path:
    """Write ``directory/report.html`` from the files of ``evaluate_voice``; returns its path.

    It reads ``metrics.json``, ``samples/index.json`` with the files that it names, and ``figures/``. The
    training's curves and ``config.yaml`` are read from ``run_directory`` (the same folder by default) and
    left out if they are missing.

    Raises UserError if ``directory`` contains no evaluation.
    """
    directory = Path(directory)
    run_directory = directory if run_directory is None else Path(run_directory)
    metrics = read_json(directory / "metrics.json")
    index = read_json(directory / "samples" / "index.json")
    panels = read_curves(run_directory)
    curves = directory / "figures" / "loss_curves.png"
    if panels:
        loss_figure(panels, curves)
    else:
        curves.unlink(missing_ok=True)
    config = run_directory / "config.yaml"
    titles = SYSTEM_TITLES | {f"{name}{BESIDE_TEACHER}": title for name, title in SYSTEM_TITLES.items()}

    page = render(
        TEMPLATE,
        directory,
        title=title or f"Listening report: {run_directory.resolve().name}",
        index=index,
        findings=findings(metrics, index["sample_rate"]),
        system_titles=titles,
        system_notes=SYSTEM_NOTES,
        directions=DIRECTIONS,
        arrows=ARROWS,
        tables=[_table(metrics, systems) for systems in index["tables"]],
        likelihood=[row for metric in LIKELIHOOD if (row := _single(metric, metrics))],
        speed=_speed_rows(metrics, index["sample_rate"]),
        overview=_existing(directory, "figures/overview.png"),
        bars=_existing(directory, "figures/metrics.png"),
        curves="figures/loss_curves.png" if panels else None,
        config=config.read_text(encoding="utf-8") if config.is_file() else None,
    )
    path = directory / "report.html"
    write_bytes(path, page.encode())
    return path


def _table(metrics: Mapping[str, float | None], systems: Sequence[str]) -> dict:
    """The table of systems that were measured on the same speech; the first system is the recording.

    A metric that no system has is left out: its package is not installed.
    """
    keys = {metric: [f"{system}/{metric.key}" for system in systems] for metric in DISTORTION}
    rows = []
    for metric, of_systems in keys.items():
        if any(key in metrics for key in of_systems):
            cells = [_cell(metric, metrics, key) for key in of_systems]
            if metric.of_recording is not None:
                factor = 100 if metric.percent else 1
                cells[0] = {"text": f"{factor * metric.of_recording:g}", "quiet": True, "interval": None}
            rows.append({"metric": metric, "cells": cells})
    return {"systems": systems, "rows": rows, "seconds": metrics.get(f"{systems[0]}/{EXTENT.key}")}


def _single(metric: Metric, metrics: Mapping[str, float | None]) -> dict | None:
    return {"metric": metric, "cell": _cell(metric, metrics, metric.key)} if metric.key in metrics else None


def _speed_rows(metrics: Mapping[str, float | None], sample_rate: int) -> list[dict]:
    rows = []
    for metric in SPEED:
        value = metrics.get(metric.key)
        if value is not None:
            rate = f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
            rows.append({"metric": metric, "rate": rate, "real_time": f"{value / sample_rate:.2g}"})
    return rows


def _cell(metric: Metric, metrics: Mapping[str, float | None], key: str) -> dict:
    value = metrics.get(key)
    if value is None:
        return {"text": "–", "quiet": True, "interval": None}
    factor = 100 if metric.percent else 1
    cell = {"text": number(factor * value, metric.digits), "quiet": False, "interval": None}
    low, high = metrics.get(f"{key}_low"), metrics.get(f"{key}_high")
    if low is not None and high is not None and low < high:
        cell["interval"] = " … ".join(number(factor * bound, metric.digits) for bound in (low, high))
    return cell


def _existing(directory: Path, name: str) -> str | None:
    return name if (directory / name).is_file() else None

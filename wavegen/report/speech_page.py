"""The report page of a voice: one HTML page with embedded sounds and figures, which needs no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from wavegen.files import write_bytes
from wavegen.metrics.metric import Metric
from wavegen.metrics.registry import DISTORTION, LIKELIHOOD, SPEED
from wavegen.report.curves import read_curves
from wavegen.report.page import number, read_json, render
from wavegen.report.plots import loss_figure
from wavegen.report.speech_findings import findings
from wavegen.report.systems import SYSTEM_NOTES, SYSTEM_TITLES

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

    page = render(
        TEMPLATE,
        directory,
        title=title or f"Listening report: {run_directory.resolve().name}",
        index=index,
        findings=findings(metrics, index["sample_rate"]),
        system_titles=SYSTEM_TITLES,
        system_notes=SYSTEM_NOTES,
        directions=DIRECTIONS,
        arrows=ARROWS,
        distortion=[_across(metric, metrics, index["systems"]) for metric in DISTORTION],
        likelihood=[row for metric in LIKELIHOOD if (row := _single(metric, metrics))],
        speed=_speed_rows(metrics, index["sample_rate"]),
        bars=_existing(directory, "figures/metrics.png"),
        curves="figures/loss_curves.png" if panels else None,
        config=config.read_text(encoding="utf-8") if config.is_file() else None,
    )
    path = directory / "report.html"
    write_bytes(path, page.encode())
    return path


def _across(metric: Metric, metrics: Mapping[str, float | None], systems: Sequence[str]) -> dict:
    """One row of the table: a cell per system."""
    cells = [_cell(metric, metrics, f"{system}/{metric.key}") for system in systems]
    if "recording" in systems and metric.better == "lower":
        cells[list(systems).index("recording")] = {"text": "0", "quiet": True, "interval": None}
    return {"metric": metric, "cells": cells}


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

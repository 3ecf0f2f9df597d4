"""The report page of a density: data, likelihood, reconstruction errors, samples and training curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wavegen.data.images.image_set import ImageSet
from wavegen.data.tables import TableSet
from wavegen.files import write_bytes
from wavegen.metrics.density_registry import DENSITY
from wavegen.report.curves import read_curves
from wavegen.report.page import Shown, counted, known_values, number, render
from wavegen.report.plots import loss_figure
from wavegen.report.speech_findings import Finding, judged

TEMPLATE = "density_page.html.jinja"
TOLERANCE = 1e-3  # of the range of levels: above it the reconstruction is visibly another image
BOUNDED = "bound the log-scales of the model's maps, or train with a lower flow_training.optimizer.lr"

Metrics = Mapping[str, float | None]


@dataclass(frozen=True)
class Row:
    """One line of the table of numbers."""

    title: str
    unit: str
    explanation: str
    value: str
    interval: str = "–"


def write_density_report(
    output: Path,
    *,
    metrics: Metrics,
    data: ImageSet | TableSet,
    conditional: bool,
    is_bound: bool,
    figures: Sequence[Shown],
    setup: Mapping[str, str],
) -> Path:
    """Write ``output/report.html``; the training's curves and ``config.yaml`` are read from ``output``."""
    panels = read_curves(output)
    if panels:
        loss_figure(panels, output / "figures" / "loss_curves.png")
    config = output / "config.yaml"
    page = render(
        TEMPLATE,
        output,
        title=f"Density report: {output.resolve().name}",
        subtitle=describe(data, conditional),
        findings=findings(metrics),
        figures=figures,
        rows=likelihood_rows(metrics, is_bound=is_bound) + other_rows(metrics),
        curves="figures/loss_curves.png" if panels else None,
        setup=setup,
        config=config.read_text(encoding="utf-8") if config.is_file() else None,
    )
    path = output / "report.html"
    write_bytes(path, page.encode())
    return path


def describe(data: ImageSet | TableSet, conditional: bool) -> str:
    """The data of the density, in one line."""
    parts = f"{len(data.train):,} for training, {len(data.dev):,} dev, {len(data.test):,} test"
    if isinstance(data, TableSet):
        return f"Rows of {data.name} with {counted(data.num_features, 'column')}: {parts}"
    channels, height, width = (size - 2 * data.padding * (i > 0) for i, size in enumerate(data.image_shape))
    kind = f"{height}×{width} pixels{' in colour' if channels == 3 else ''}, {data.num_levels} levels"
    given = ", conditioned on the label" if conditional else ""
    return f"Images of {data.name}, {kind}{given}: {parts}"


def findings(metrics: Metrics) -> list[Finding]:
    """The main results as sentences."""
    makers = (_cost, _reconstruction, _effort)
    return [finding for maker in makers if (finding := maker(metrics)) is not None]


def _cost(metrics: Metrics) -> Finding | None:
    unknown = judged(
        False,
        "The cost of an unseen event could not be measured: it is not finite.",
        "train again with a lower flow_training.optimizer.lr",
    )
    if metrics.get("test/bits_per_dimension") is not None:
        key, unit, event, digits = "bits_per_dimension", "bits per dimension", "image", 3
        simple_key, what = "baseline/independent_pixels", "with independent pixels"
    elif metrics.get("test/nats") is not None:
        key, unit, event, digits = "nats", "nats", "row", 3
        names = ("baseline/one_normal", "baseline/independent_normals")
        simple_key, what = names["baseline/one_normal" not in metrics], "under one normal distribution"
    else:
        return unknown
    known = known_values(metrics, f"test/{key}", f"test/{key}_low", f"test/{key}_high", simple_key)
    if known is None:
        return unknown
    value, low, high, simple = known
    text = (
        f"An unseen {event} costs {number(value, digits)} {unit} (95 % interval {number(low, digits)} to "
        f"{number(high, digits)}); {what} it would cost {number(simple, digits)}."
    )
    return judged(high < simple, text, "train longer, with more flow_training.max_steps or max_minutes")


def _reconstruction(metrics: Metrics) -> Finding | None:
    if not any(key.startswith("reconstruction/samples_at") for key in metrics):
        return None  # the model has no exact inverse
    lost = sum(int(value or 0) for key, value in metrics.items() if key.endswith("_num_not_finite"))
    errors = {
        key.removeprefix("reconstruction/"): value
        for key, value in metrics.items()
        if key.startswith("reconstruction/") and not key.endswith("_num_not_finite") and value is not None
    }
    largest = max(errors.values(), default=None)
    if lost or largest is None:
        text = f"The inverse is not always finite: {counted(lost, 'event')} became infinite or NaN."
        return judged(False, text, BOUNDED)
    samples = max(value for key, value in errors.items() if key != "data")
    text = f"The largest error of reconstruction is {errors['data']:.1e} for test data and {samples:.1e} for "
    text += "its own samples"
    return judged(largest < TOLERANCE, f"{text}; nothing became infinite.", BOUNDED)


def _effort(metrics: Metrics) -> Finding | None:
    known = known_values(metrics, *(f"training/{key}" for key in ("parameters", "steps", "wall_s", "cpu_s")))
    if known is None:
        return None
    parameters, steps, wall_s, cpu_s = known
    best = metrics.get("training/best_step")
    weights = "the last step, because no step had a finite dev cost"
    if best is not None:
        weights = f"step {best:,}, which had the lowest dev cost"
    return Finding(
        "plain",
        f"{counted(parameters, 'parameter')}, trained for {counted(steps, 'step')} in {duration(wall_s)} "
        f"({duration(cpu_s)} of CPU time); the weights are those of {weights}.",
    )


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def likelihood_rows(metrics: Metrics, *, is_bound: bool) -> list[Row]:
    """The cost of test events under the model and under simple densities.

    Args:
        is_bound: whether the model has only a bound, which is averaged over draws of its noise or latents.
    """
    draws, events = metrics["test/num_noise_draws"] or 1, counted(metrics["test/num_events"] or 0, "event")
    rows = []
    for metric in DENSITY:
        key = metric.key
        value = metrics.get(key)
        if value is not None:
            interval, bounds = "–", known_values(metrics, f"{key}_low", f"{key}_high")
            if bounds is not None:
                interval = " … ".join(number(bound, metric.digits) for bound in bounds)
            over = ""
            if key.startswith("test/"):
                over = " An upper bound, not the exact value." if is_bound else ""
                over += f" Over {events}" + (f", {draws} draws for each." if draws > 1 else ".")
            shown = number(value, metric.digits)
            rows.append(Row(metric.title, metric.unit, metric.explanation + over, shown, interval))
    return rows


def other_rows(metrics: Metrics) -> list[Row]:
    """The reconstruction errors, and the speed of drawing samples."""
    rows = []
    for key, value in metrics.items():
        if key.startswith("reconstruction/") and not key.endswith("_num_not_finite"):
            name = key.removeprefix("reconstruction/")
            what = "test data" if name == "data" else f"samples at temperature {name.rpartition('_')[2]}"
            lost = int(metrics[f"{key}_num_not_finite"] or 0)
            text = "The largest difference between an event and its reconstruction"
            text += f"; {lost} became infinite or NaN." if lost else "."
            unit = "of the range of levels" if "test/bits_per_dimension" in metrics else "standard deviations"
            rows.append(Row(f"Error of {what}", unit, text, "–" if value is None else f"{value:.1e}"))
    speed = metrics["sampling/events_per_second"]
    rows.append(Row("Sampling", "events per second", "All events are drawn at once.", f"{speed:,.0f}"))
    return rows

"""Evaluates a trained density: cost of held-out events, reconstruction error, samples."""

import math
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from wavegen.data.context import LabelContext, NoContext
from wavegen.data.images.image_set import ImageSet
from wavegen.data.tables import TableSet
from wavegen.devices import compute_device, explain_device
from wavegen.errors import UserError
from wavegen.evaluation.density.baselines import image_baselines, table_baselines
from wavegen.evaluation.density.image_pictures import image_pictures
from wavegen.evaluation.density.subject import Subject
from wavegen.evaluation.density.table_pictures import table_pictures
from wavegen.evaluation.tally import Tally, as_json
from wavegen.files import write_bytes
from wavegen.models.density import DensityModel
from wavegen.report.density_page import write_density_report
from wavegen.report.page import counted, read_json
from wavegen.training.density_data import in_order
from wavegen.training.density_stage import COST, cost_of

ROUND_TRIP_EVENTS = 256  # test events, and draws at each temperature, that are reconstructed


@torch.no_grad()
def evaluate_density(
    model: DensityModel,
    data: ImageSet | TableSet,
    context: NoContext | LabelContext,
    output: str | Path,
    *,
    seed: int = 0,
    max_images: int | None = None,
    num_noise_draws: int = 8,
    temperatures: Sequence[float] = (0.5, 0.7, 0.9, 1.0, 1.2),
    num_samples: int = 64,
    batch_size: int = 256,
    device: str = "auto",
) -> dict[str, float | None]:
    """Evaluate the density on the test part; writes ``metrics.json``, ``figures/`` and ``report.html``.

    Args:
        model: the density, over whole levels (images) or standardised rows.
        data: with the test part.
        context: encodes the labels that condition the density.
        output: the run's folder; the content of its ``training.json`` is added to the metrics.
        seed: of the choice of events, draws, samples, bootstrap.
        max_images: number of test events; None for all.
        num_noise_draws: draws of noise or latents for each event, over which the bound of its cost is
            averaged; a density without a bound takes 1.
        temperatures: of the samples that are shown and reconstructed.
        num_samples: in the grid.
        batch_size: events at once.
        device: where the density computes, see :func:`~wavegen.devices.compute_device`; it stays there.

    Returns:
        Flat ``group/metric`` keys, with ``…_low`` and ``…_high`` for means over test events; None if a value
        could not be measured.

    Raises:
        UserError: if ``max_images``, ``num_noise_draws`` or ``num_samples`` is below 1, or the device is
            missing.
    """
    if (max_images is not None and max_images < 1) or num_noise_draws < 1 or num_samples < 1:
        raise UserError(
            "evaluation: expected max_images, num_noise_draws and num_samples of at least 1, got "
            f"{max_images}, {num_noise_draws}, {num_samples}"
        )
    torch.manual_seed(seed)
    output = Path(output)
    place = compute_device(device)
    subject = Subject(cast(DensityModel, cast(nn.Module, model).to(place).eval()), data, context, place)
    chosen = torch.randperm(len(data.test), generator=torch.Generator().manual_seed(seed))[:max_images]
    x, labels = data.test[chosen], None if data.labels is None else data.labels["test"][chosen]
    name, cost = cost_of(data)

    tally = Tally()
    draws = num_noise_draws if subject.is_bound else 1
    for key, value in costs(subject, x, labels, name, cost, draws, batch_size).items():
        for single in value.tolist():
            tally.add(key, single)
    if isinstance(data, TableSet):
        units = float(data.scale.log().sum())
        for entry, _ in list(tally.entries(f"test/{name}")):
            tally.add("test/nats_original_units", entry + units)
    metrics = tally.metrics(seed=seed)
    metrics |= {"test/num_events": len(x), "test/num_noise_draws": draws}
    baselines = image_baselines(data, x) if isinstance(data, ImageSet) else table_baselines(data, x)
    metrics |= {f"baseline/{key}": value for key, value in baselines.items()}
    if subject.offers("reconstruct"):
        metrics |= round_trips(subject, x, labels, temperatures)
    metrics |= drawing_speed(subject, labels, num_samples)
    if (output / COST).is_file():
        metrics |= {f"training/{key}": value for key, value in read_json(output / COST).items()}

    pictures = image_pictures if isinstance(data, ImageSet) else table_pictures
    shown = pictures(subject, x, labels, output / "figures", temperatures, num_samples)
    write_bytes(output / "metrics.json", as_json(metrics).encode())
    machine = (
        f"{platform.machine()}, {counted(torch.get_num_threads(), 'thread')} of torch {torch.__version__}"
    )
    if place.type != "cpu":
        machine = f"{explain_device(place)}, torch {torch.__version__}"
    write_density_report(
        output,
        metrics=metrics,
        data=data,
        conditional=subject.is_conditional,
        is_bound=subject.is_bound,
        figures=shown,
        setup={"Seed": str(seed), "Machine": machine},
    )
    return metrics


def costs(
    subject: Subject,
    x: Tensor,
    labels: Tensor | None,
    name: str,
    cost: Callable[[Tensor], Tensor],
    num_draws: int,
    batch_size: int,
) -> dict[str, Tensor]:
    """Each event's cost: the bound averaged over draws; with K > 1 draws also the tighter bound log-mean-exp.

    The second uses importance weights (Burda et al. 2016, 1509.00519); it converges to log P(x) for large K.
    """
    means, weighted = [], []
    for batch in in_order(x, labels, batch_size):
        distribution = subject.distribution(batch.labels)
        values = batch.x.to(subject.device).float()
        log_prob = torch.stack([distribution.log_prob(values) for _ in range(num_draws)]).double().cpu()
        means.append(cost(log_prob).mean(0))
        weighted.append(cost(log_prob.logsumexp(0) - math.log(num_draws)))
    result = {f"test/{name}": torch.cat(means)}
    if num_draws > 1:
        result[f"test/{name}_importance_weighted"] = torch.cat(weighted)
    return result


def round_trips(
    subject: Subject, x: Tensor, labels: Tensor | None, temperatures: Sequence[float]
) -> dict[str, float]:
    """The largest reconstruction error, and the number of events whose error is not finite.

    For test events and, if the model has an exact inverse, for decoded draws of the prior at each
    temperature.
    """
    x, labels = x[:ROUND_TRIP_EVENTS], None if labels is None else labels[:ROUND_TRIP_EVENTS]
    metrics = error_of("data", *subject.reconstruct(x, labels))
    if subject.offers("prior", "reconstruct_draws"):
        noise = subject.noise(len(x), labels)
        for temperature in temperatures:
            draws = subject.reconstruct_draws(temperature * noise, labels)
            metrics |= error_of(f"samples_at_{temperature:g}", *draws)
    return metrics


def error_of(key: str, y: Tensor, returned: Tensor) -> dict[str, float]:
    error = (y - returned).abs().flatten(1).amax(1)
    finite = torch.isfinite(error)
    return {
        f"reconstruction/{key}": float(error[finite].max()) if finite.any() else math.nan,
        f"reconstruction/{key}_num_not_finite": int((~finite).sum()),
    }


def drawing_speed(subject: Subject, labels: Tensor | None, count: int) -> dict[str, float]:
    """Events per second when all are drawn at once; the better of two runs, as the first one is slower."""
    repeated = None if labels is None else labels[torch.arange(count) % len(labels)]
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        subject.sample(count, repeated).sum().item()  # waits for an accelerator
        seconds.append(time.perf_counter() - start)
    return {"sampling/events_per_second": count / min(seconds)}


def summary(metrics: dict[str, Any], output: Path) -> str:
    """The text that is printed at the end."""
    report = f"Report: {output / 'report.html'}"
    unit = "bits per dimension" if "test/bits_per_dimension" in metrics else "nats per row"
    key = "test/bits_per_dimension" if "test/bits_per_dimension" in metrics else "test/nats"
    value, low, high = (metrics[key + suffix] for suffix in ("", "_low", "_high"))
    events = counted(metrics["test/num_events"], "test image" if unit.startswith("bits") else "test row")
    interval = f"95 % interval {low:.3f} to {high:.3f}"
    return f"{events}: {value:.3f} {unit} ({interval})\n{report}"

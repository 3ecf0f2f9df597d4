"""Evaluates flows of the plane against known densities: likelihood, and both KL divergences."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wavegen.distributions.energies import PlaneDensity
from wavegen.files import write_bytes
from wavegen.report.plane_figures import duality_figure, gallery_figure, nats
from wavegen.report.tables import text_table
from wavegen.training.plane import Fit, Fits

HELD_OUT_SEED = 1  # the same points for every model and run, so that they are comparable
CHUNK = 8192  # points at once


@torch.no_grad()
def log_prob(fit: Fit, x: Tensor) -> Tensor:
    """log q(x), float32, ``(points, 2) -> (points,)``."""
    return torch.cat([fit.flow().log_prob(part) for part in x.split(CHUNK)])


def held_out(target: PlaneDensity, num_points: int) -> Tensor:
    """Held-out points of the target."""
    return target.sample(num_points, torch.Generator().manual_seed(HELD_OUT_SEED))


def likelihood(fit: Fit, num_points: int) -> dict[str, float]:
    """Held-out log-likelihood and KL(p ‖ q) in nats, with standard errors.

    The KL is the mean of log p − log q over the same points, so that most of their variance cancels.
    """
    x = held_out(fit.target, num_points)
    log_q = log_prob(fit, x).double()
    return {
        **_mean("log_likelihood", log_q),
        **_mean("kl_data_model", fit.target.log_prob(x.double()) - log_q),
    }


def divergences(fit: Fit, num_points: int) -> dict[str, float]:
    """KL(p ‖ q) by draws of the target p, KL(q ‖ p) by draws of the model q, in nats, with standard errors.

    Also for importance sampling of p with draws of q and weights w = p̃ / q: the estimate log mean w of the
    log-normaliser (the true one is ``log_normaliser``), and the effective sample size (Σw)² / Σw² as a
    fraction of the draws. If q misses a mode of p, the normaliser is too small although the sample size is
    large; only KL(p ‖ q) shows the missing mode.
    """
    x = held_out(fit.target, num_points)
    forward = fit.target.log_prob(x.double()) - log_prob(fit, x).double()
    x, log_q = draw(fit, num_points)
    log_weight = fit.target.log_density(x.double()) - log_q.double()
    effective = 2 * log_weight.logsumexp(0) - (2 * log_weight).logsumexp(0)
    return {
        **_mean("kl_target_model", forward),
        **_mean("kl_model_target", fit.target.log_normaliser - log_weight),
        "log_normaliser": fit.target.log_normaliser,
        "log_normaliser_estimate": float(log_weight.logsumexp(0)) - math.log(num_points),
        "effective_sample_size": float(effective.exp()) / num_points,
    }


@torch.no_grad()
def draw(fit: Fit, num_points: int) -> tuple[Tensor, Tensor]:
    """Draws of the flow with their log-densities, the same for the same flow."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(HELD_OUT_SEED)
        return fit.flow().rsample_and_log_prob(torch.Size([num_points]))


def _mean(name: str, values: Tensor) -> dict[str, float]:
    return {
        name: float(values.mean()),
        f"{name}_standard_error": float(values.std()) / math.sqrt(len(values)),
    }


def grid(extent: float, resolution: int) -> Tensor:
    """Centres of the pixels of a square image of ±extent, ``(resolution², 2)``; the lowest row first."""
    line = extent * (2 * (torch.arange(resolution) + 0.5) / resolution - 1)
    second, first = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([first, second], -1).view(-1, 2)


def _picture(values: Tensor, resolution: int) -> Any:
    return values.double().exp().view(resolution, resolution).numpy()


def evaluate_gallery(fits: Fits, run: Path, *, num_points: int, resolution: int) -> str:
    """Write ``metrics.json`` and ``gallery.png``; returns the table of held-out nats."""
    metrics, pictures = {}, {}
    for (data, model), fit in fits.items():
        pixels = grid(fit.target.extent, resolution)
        if data not in pictures:
            x = held_out(fit.target, num_points)
            best = _mean("log_likelihood", fit.target.log_prob(x.double()))
            metrics.update({f"{data}/data/{key}": value for key, value in best.items()})
            pictures[data] = {
                "extent": fit.target.extent,
                "samples": x.numpy(),
                "density": _picture(fit.target.log_prob(pixels.double()), resolution),
                "models": {},
            }
        metrics.update({f"{data}/{model}/{key}": value for key, value in likelihood(fit, num_points).items()})
        pictures[data]["models"][model] = _picture(log_prob(fit, pixels), resolution)
    _write(metrics, run)
    gallery_figure(pictures, metrics, run / "gallery.png")
    models = ["data", *dict.fromkeys(model for _, model in fits)]
    rows = {model: [f"{data}/{model}/log_likelihood" for data in pictures] for model in models}
    return _table(metrics, list(pictures), rows)


def evaluate_duality(fits: Fits, run: Path, *, num_points: int, resolution: int) -> str:
    """Write ``metrics.json`` and ``duality.png``; returns the table of both divergences of both fits."""
    metrics, pictures = {}, {}
    for (name, direction), fit in fits.items():
        pixels = grid(fit.target.extent, resolution)
        if name not in pictures:
            pictures[name] = {
                "extent": fit.target.extent,
                "samples": held_out(fit.target, num_points).numpy(),
                "density": _picture(fit.target.log_prob(pixels.double()), resolution),
                "fits": {},
            }
        metrics.update(
            {f"{name}/{direction}/{key}": value for key, value in divergences(fit, num_points).items()}
        )
        pictures[name]["fits"][direction] = {
            "samples": draw(fit, num_points)[0].numpy(),
            "density": _picture(log_prob(fit, pixels), resolution),
        }
    _write(metrics, run)
    duality_figure(pictures, metrics, run / "duality.png")
    keys = ["kl_target_model", "kl_model_target", "effective_sample_size"]
    rows = {f"{name} {way}": [f"{name}/{way}/{key}" for key in keys] for name, way in fits}
    return _table(metrics, ["KL(p||q)", "KL(q||p)", "sample size, share"], rows)


def _write(metrics: Mapping[str, float], run: Path) -> None:
    write_bytes(run / "metrics.json", json.dumps(metrics, indent=1).encode())


def _table(metrics: Mapping[str, float], header: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """A line per row, a cell per key of ``metrics``, ± its standard error if it has one."""
    lines = [[name, *(_cell(metrics, key) for key in keys)] for name, keys in rows.items()]
    return "\n".join(text_table(["", *header], lines))


def _cell(metrics: Mapping[str, float], key: str) -> str:
    if key not in metrics:
        return ""
    error = metrics.get(f"{key}_standard_error")
    return nats(metrics[key]) if error is None else f"{nats(metrics[key])} ± {nats(error)}"

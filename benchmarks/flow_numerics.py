"""Measures the numerical error of every bijection: log-determinants in float64, round trips in float32.

    python benchmarks/flow_numerics.py [--draws 20] [--output benchmarks/results/flow_numerics.json]

It covers every bijection of ``tests/flows/cases``, with standard normal noise of scale 0.3 added to its
parameters, at ``draws`` batches of three. Log-determinants of both directions are compared with ``slogdet``
of the autograd Jacobian. Errors of round trips x → z → x in float32 are divided by the Jacobian's condition
number, the factor by which rounding is amplified. The tests have bounds for the same errors.
"""

import argparse
import json
import runpy
import statistics
from pathlib import Path

import torch
from tqdm import tqdm

from wavegen.files import write_bytes

HERE = Path(__file__).parent
CASES_FOLDER = HERE.parent / "tests" / "flows" / "cases"


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def jacobians(function, value, context):
    """The Jacobian of every member's flattened event, ``(batch, D, D)``."""

    def of_member(index):
        its_context = None if context is None else context[index : index + 1]
        size = value[index].numel()
        return torch.autograd.functional.jacobian(
            lambda member: function(member[None], its_context)[0].flatten(), value[index]
        ).reshape(size, size)

    return torch.stack([of_member(index) for index in range(len(value))])


def prepare(entry, seed):
    torch.manual_seed(seed)
    bijection = entry["build"]().double()
    x = entry.get("x", lambda: normal(3, 4))()
    context = entry.get("context", lambda: normal(3, 2))()
    bijection.train()(x, context)
    with torch.no_grad():
        for parameter in bijection.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return bijection.eval(), x, context


def measure(entry, seed):
    """The largest log-det error of both directions, and the round trip's error, absolute and relative."""
    bijection, x, context = prepare(entry, seed)
    z = bijection(x, context)[0].detach()
    forward = jacobians(bijection, x, context)
    log_det_error = 0.0
    for function, value, jacobian in (
        (bijection, x, forward),
        (bijection.inverse, z, jacobians(bijection.inverse, z, context)),
    ):
        log_det = function(value, context)[1].detach()
        log_det = log_det.flatten(1).sum(1) if log_det.dim() > 1 else log_det
        error = (torch.linalg.slogdet(jacobian)[1] - log_det).abs().max().item()
        log_det_error = max(log_det_error, error)
    condition = torch.linalg.cond(forward).max().item()
    bijection, x = bijection.float(), x.float()
    context = None if context is None else context.float()
    with torch.no_grad():
        z, _ = bijection(x, context)
        returned, _ = bijection.inverse(z, context)
    error = (returned - x).abs().max().item() / max(1.0, x.abs().max().item())
    return {
        "log_det_error": log_det_error,
        "round_trip_error": error,
        "condition_number": condition,
        "relative_round_trip_error": error / condition,
        "not_finite": int((~z.isfinite()).sum() + (~returned.isfinite()).sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=20, help="batches of three per bijection")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "flow_numerics.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = {}
    cases = [
        (path.stem, name, entry)
        for path in sorted(CASES_FOLDER.glob("*.py"))
        for name, entry in runpy.run_path(str(path))["CASES"].items()
    ]
    for family, name, entry in tqdm(cases, unit="bijection"):
        draws = [measure(entry, seed) for seed in range(arguments.draws)]
        rows[name] = {"family": family} | {
            key: (statistics.median if key == "condition_number" else max)(draw[key] for draw in draws)
            for key in draws[0]
        }
    print(f"{'bijection':52} {'log-det':>9} {'round trip':>11} {'/ condition':>12} {'not finite':>11}")
    for name, row in rows.items():
        print(
            f"{name:52} {row['log_det_error']:9.1e} {row['round_trip_error']:11.1e} "
            f"{row['relative_round_trip_error']:12.1e} {row['not_finite']:11d}"
        )
    worst = {
        key: max(rows.items(), key=lambda item, key=key: item[1][key])
        for key in ("log_det_error", "relative_round_trip_error")
    }
    for key, (name, row) in worst.items():
        print(f"worst {key.replace('_', ' ')}: {row[key]:.1e} ({name})")
    write_bytes(arguments.output, (json.dumps(rows, indent=1) + "\n").encode())
    print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()

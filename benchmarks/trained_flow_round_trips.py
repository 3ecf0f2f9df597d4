"""Measures round trips of trained image flows in float32, relative to the condition number.

    python benchmarks/trained_flow_round_trips.py RUN [RUN ...]

RUN is a folder of ``wavegen flow``. For ``--events`` test images and as many samples at temperature 1.2, the
script measures y → z → y in float32: the largest error, and the number of values that are not finite. The
condition number of the Jacobian ∂f/∂y (the median over ``--points`` of the events, by autograd in float64)
amplifies rounding, so the error is also given relative to it.
"""

import argparse
import json
import statistics
from pathlib import Path

import torch
from omegaconf import OmegaConf
from tqdm import tqdm

from wavegen.files import write_bytes
from wavegen.flows import Flow
from wavegen.flows.compose import separate
from wavegen.runs.folder import CONFIG
from wavegen.training.density_stage import load_data, load_density

HERE = Path(__file__).parent


def condition_number(bijection, y: torch.Tensor) -> float:
    """The condition number of ∂f/∂y at one event, in float64."""

    def flat(value):
        return bijection(value.reshape(1, *y.shape))[0].flatten()

    return torch.linalg.cond(torch.autograd.functional.jacobian(flat, y.flatten())).item()


def there_and_back(flow: Flow, y: torch.Tensor, points: int) -> dict[str, float]:
    bijection = separate(flow.bijection)[1]
    with torch.no_grad():
        returned = bijection.inverse(bijection(y)[0])[0]
    error = (returned - y).abs().max().item()
    exact = bijection.double()
    conditions = [condition_number(exact, event.double()) for event in tqdm(y[:points], unit="Jacobian")]
    bijection.float()
    condition = statistics.median(conditions)
    return {
        "largest_value": y.abs().max().item(),
        "error": error,
        "condition_number": condition,
        "relative_error": error / (condition * max(1.0, y.abs().max().item())),
        "not_finite": int((~torch.isfinite(returned)).sum() + (~torch.isfinite(y)).sum()),
    }


def measure(run: Path, num_events: int, points: int, seed: int) -> dict[str, dict[str, float]]:
    config = OmegaConf.load(run / CONFIG)
    data, _ = load_data(config)
    flow = load_density(run).eval()
    torch.manual_seed(seed)
    before, bijection = separate(flow.bijection)
    with torch.no_grad():
        y = before(data.test[torch.randperm(len(data.test))[:num_events]].float())[0]
        base = flow().base
        drawn = bijection.inverse(1.2 * base.sample((num_events,)))[0]
    return {"data": there_and_back(flow, y, points), "samples at 1.2": there_and_back(flow, drawn, points)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--events", type=int, default=256)
    parser.add_argument("--points", type=int, default=4, help="events at which the Jacobian is taken")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "trained_flow_round_trips.json")
    arguments = parser.parse_args()
    results = {}
    header = ("run", "events", "largest", "error", "condition", "relative", "not finite")
    print("{:24} {:15} {:>8} {:>9} {:>10} {:>9} {:>10}".format(*header))
    for run in arguments.runs:
        results[run.name] = measure(run, arguments.events, arguments.points, arguments.seed)
        for events, row in results[run.name].items():
            print(
                f"{run.name:24} {events:15} {row['largest_value']:8.2f} {row['error']:9.1e} "
                f"{row['condition_number']:10.1e} {row['relative_error']:9.1e} {row['not_finite']:10d}"
            )
    write_bytes(arguments.output, (json.dumps(results, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()

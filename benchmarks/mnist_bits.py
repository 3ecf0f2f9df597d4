"""Measures bits per dimension of the named image flows on MNIST, at equal numbers of parameters and steps.

    python benchmarks/mnist_bits.py DATA/mnist.npz [--runs runs/mnist-bits] [--jobs 2] [--groups models]

Every cell is one ``wavegen flow`` run with one thread. Finished runs are not trained again; killed runs are
resumed. Three comparisons:

- ``models``: NICE, RealNVP, Glow, Flow++, with the same preprocessing, about 102,000 parameters, and the same
  batches and steps;
- ``ablation``: Glow with additive or affine coupling × reversed, shuffled or 1×1-convolved channels;
- ``dequantization``: variational and uniform noise, with the same Glow and the same CPU time of training.

Each model's learning rate is the best of 2e-3, 5e-3, 1e-2 (NICE: up to 5e-2) after 300 steps, on images that
are not in the training part. Bits are counted over 784 dimensions, intervals over seeds (Student's t, 95 %).
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import t as student_t
from tqdm import tqdm

from wavegen.files import write_bytes

HERE = Path(__file__).parent
LOGIT = "+flow_model.preprocessing={_target_: wavegen.models.flows.dequantized.scaled_logit}"
MODELS = {
    "NICE": ["flow_model=nice", "flow_model.hidden=[30,31]", "flow_model.num_couplings=4", LOGIT],
    "RealNVP": ["flow_model=real_nvp", "flow_model.hidden_channels=16"],
    "Glow": ["flow_model=glow", "flow_model.num_steps=8", "flow_model.hidden_channels=48", LOGIT],
    "Flow++": [
        "flow_model=flow_plus_plus",
        "flow_model.num_couplings=[4,2,2]",
        "flow_model.hidden_channels=13",
        "flow_model.num_heads=1",
    ],
}
RATES = {"NICE": 5.0e-2, "RealNVP": 1.0e-2, "Glow": 1.0e-2, "Flow++": 5.0e-3}
COUPLINGS = {
    "additive": ["+flow_model.transform={_target_: wavegen.flows.Additive}"],
    "affine": [],
}
PERMUTATIONS = {
    name: [f"+flow_model.permutation={{_target_: wavegen.models.flows.glow.{function}, _partial_: true}}"]
    for name, function in {"reverse": "reverse", "shuffle": "shuffle", "1×1": "invertible_1x1"}.items()
}


@dataclass(frozen=True)
class Run:
    """One training and evaluation: its folder name and its overrides."""

    name: str
    overrides: tuple[str, ...]

    def command(self, arguments: argparse.Namespace, steps: int) -> list[str]:
        return [
            *(sys.executable, "-m", "wavegen", "flow", "data=mnist", f"data.path={arguments.data}"),
            *self.overrides,
            f"flow_training.max_steps={steps}",
            f"flow_training.batch_size={arguments.batch_size}",
            f"flow_training.validate_every_steps={max(1, steps // 3)}",
            f"evaluation.max_images={arguments.test_images}",
            "evaluation.num_noise_draws=1",
            f"run={arguments.runs / self.name}",
        ]


def run_all(runs: dict[Run, int], arguments: argparse.Namespace) -> dict[str, dict]:
    """Run what is missing, ``--jobs`` at a time; returns metrics by the run's name."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CI": "1"}

    def one(run: Run) -> tuple[str, dict]:
        metrics = arguments.runs / run.name / "metrics.json"
        if not metrics.is_file():
            command = run.command(arguments, runs[run])
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{shlex.join(command)}\n{done.stderr}")
        return run.name, json.loads(metrics.read_text())

    with ThreadPoolExecutor(arguments.jobs) as pool:
        return dict(tqdm(pool.map(one, runs), total=len(runs), unit="run"))


def model_run(model: str, seed: int, *, group: str = "models", name: str = "", extra: tuple = ()) -> Run:
    rate = f"flow_training.optimizer.lr={RATES[model]}"
    name = name or model.lower().replace("+", "p")
    return Run(f"{group}/{name}-{seed}", (*MODELS[model], rate, f"seed={seed}", *extra))


def summarise(rows: list[dict]) -> dict:
    bits = [row["test/bits_per_dimension"] for row in rows]
    half = (
        student_t.ppf(0.975, len(bits) - 1) * statistics.stdev(bits) / len(bits) ** 0.5
        if len(bits) > 1
        else None
    )
    return {
        "bits_per_dimension": bits,
        "mean": statistics.mean(bits),
        "interval_half_width": half,
        "parameters": rows[0]["training/parameters"],
        "steps": rows[0]["training/steps"],
        "cpu_s": statistics.mean(row["training/cpu_s"] for row in rows),
        "wall_s": statistics.mean(row["training/wall_s"] for row in rows),
        "round_trip_data": max(row["reconstruction/data"] for row in rows),
        "round_trip_samples_at_1.2": max(row["reconstruction/samples_at_1.2"] for row in rows),
        "not_finite": sum(row["reconstruction/samples_at_1.2_num_not_finite"] for row in rows),
    }


def models(arguments: argparse.Namespace) -> dict[str, dict]:
    runs = {model_run(model, seed): arguments.steps for seed in range(arguments.seeds) for model in MODELS}
    found = run_all(runs, arguments)
    return {
        model: summarise([found[model_run(model, seed).name] for seed in range(arguments.seeds)])
        for model in MODELS
    }


def ablation(arguments: argparse.Namespace) -> dict[str, dict]:
    def run(coupling: str, permutation: str, seed: int) -> Run:
        if (coupling, permutation) == ("affine", "1×1"):
            return model_run("Glow", seed)  # the same run as in the comparison of models
        extra = (*COUPLINGS[coupling], *PERMUTATIONS[permutation])
        name = f"{coupling}-{permutation.replace('×', 'x')}"
        return model_run("Glow", seed, group="ablation", name=name, extra=extra)

    cells = [(coupling, permutation) for coupling in COUPLINGS for permutation in PERMUTATIONS]
    seeds = range(arguments.ablation_seeds)
    found = run_all({run(*cell, seed): arguments.steps for seed in seeds for cell in cells}, arguments)
    return {" × ".join(cell): summarise([found[run(*cell, seed).name] for seed in seeds]) for cell in cells}


def dequantization(arguments: argparse.Namespace) -> dict[str, dict]:
    """Both kinds of noise with the same CPU time; a pilot of 50 steps measures the cost of a step of each."""
    kinds = ("uniform", "variational")

    def run(kind: str, seed: int, stage: str) -> Run:
        extra = (f"dequantization={kind}",)
        return model_run("Glow", seed, group="dequantization", name=f"{kind}{stage}", extra=extra)

    pilot = run_all({run(kind, 0, "-pilot"): 50 for kind in kinds}, arguments)
    cost_s = {kind: pilot[run(kind, 0, "-pilot").name]["training/cpu_s"] / 50 for kind in kinds}
    steps = {kind: int(arguments.dequantization_s / cost_s[kind]) for kind in kinds}
    seeds = range(arguments.ablation_seeds)
    found = run_all({run(kind, seed, ""): steps[kind] for seed in seeds for kind in kinds}, arguments)
    return {kind: summarise([found[run(kind, seed, "").name] for seed in seeds]) for kind in kinds}


GROUPS = {"models": models, "ablation": ablation, "dequantization": dequantization}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="MNIST as one NPZ file")
    parser.add_argument("--runs", type=Path, default=Path("runs/mnist-bits"))
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--seeds", type=int, default=3, help="seeds of the comparison of models")
    parser.add_argument("--ablation-seeds", type=int, default=2, help="seeds of the other comparisons")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--dequantization-s", type=float, default=240, help="CPU seconds of training")
    parser.add_argument("--test-images", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "mnist_bits.json")
    arguments = parser.parse_args()
    arguments.data = arguments.data.resolve()
    results = json.loads(arguments.output.read_text()) if arguments.output.is_file() else {}
    for group in arguments.groups:
        results[group] = GROUPS[group](arguments)
        print(f"{group:24} {'bits/dim':>9} {'± (95 %)':>9} {'parameters':>11} {'steps':>6} {'CPU s':>6}")
        for name, row in results[group].items():
            half = row["interval_half_width"]
            print(
                f"{name:24} {row['mean']:9.3f} {'–' if half is None else f'{half:.3f}':>9} "
                f"{row['parameters']:11,} {row['steps']:6d} {row['cpu_s']:6.0f}"
            )
        write_bytes(arguments.output, (json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    main()

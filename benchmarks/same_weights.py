"""Tests whether two checkouts train the same weights: runs the recipes in both, with equal seeds, in float32.

    git worktree add ../before COMMIT
    .venv/bin/python benchmarks/same_weights.py ../before
    .venv/bin/python benchmarks/same_weights.py ../before --only teacher distill

A refactoring must not change the results of the recipes. Each recipe runs for a few steps in each checkout.
Each checkout prepares the corpus itself, but this one then trains on the other's samples and frames, because
the resamplers differ. The script compares all tensors of all weights, bit for bit, and lists the numbers of
metrics.json that differ. Runs that exist in --runs are not repeated. The exit status is 1 if weights differ.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from wavegen.audio.spectra import stft_magnitude
from wavegen.objectives.distillation import DistillationStep, Term

HERE = Path(__file__).resolve().parent.parent
STEPS = "max_steps={0} {1}.validate_every_steps={0} {1}.average_decay=0.5 {1}.precision=32-true"
SPEECH = "evaluation.max_utterances=2 evaluation.max_spoken_utterances=1 evaluation.max_teacher_seconds=1"
RECIPES = {
    "prepare": "prepare corpus.directory={runs}/corpus",
    "teacher": "teacher run={runs}/teacher corpus.directory={runs}/corpus teacher_training."
    + STEPS.format(10, "teacher_training"),
    "distill": "distill run={runs}/distill corpus.directory={runs}/corpus teacher_checkpoint={runs}/teacher "
    + "student_training."
    + STEPS.format(10, "student_training")
    + f" {SPEECH}",
    "flow": "flow run={runs}/flow flow_training."
    + STEPS.format(20, "flow_training")
    + " evaluation.max_images=64 evaluation.num_noise_draws=1",
    "gallery": "gallery run={runs}/gallery optimisation.max_steps=40 evaluation.num_points=1000",
    "duality": "duality run={runs}/duality optimisation.max_steps=40 evaluation.num_points=1000",
}
"""The command line of each recipe; ``{runs}`` is the folder of the checkout's runs."""


OLD_POWER_LOSS = (
    "objective.power.loss._target_=same_weights.PerBatchPowerLoss ~objective.power.loss.resolutions_ms"
)
"""The power loss is normalised per corpus now; for the comparison it is replaced by its old form."""


class PerBatchPowerLoss(nn.Module):
    """The old form of the power loss, in units of the batch's RMS magnitude."""

    def __init__(
        self, *, sample_rate: int, low_band_hz: float, low_band_weight: float, log_weight: float
    ) -> None:
        super().__init__()
        self.sample_rate, self.low_band_hz = sample_rate, low_band_hz
        self.low_band_weight, self.log_weight = low_band_weight, log_weight

    def forward(self, step: DistillationStep) -> Term:
        sample, recording = step.sample * step.mask, step.recording * step.mask
        total = sample.new_zeros(())
        resolutions = ((512, 80, 320), (1024, 160, 640), (256, 40, 128))
        for fft_size, hop_samples, window_samples in resolutions:
            size = {"fft_size": fft_size, "hop_samples": hop_samples, "window_samples": window_samples}
            reference, estimate = stft_magnitude(recording, **size), stft_magnitude(sample, **size)
            total = total + self._distance(estimate, reference)
        return Term(total / len(resolutions))

    def _distance(self, estimate: Tensor, reference: Tensor) -> Tensor:
        unit = reference.square().mean().sqrt().clamp(min=1e-5)
        frequency_hz = torch.linspace(0, self.sample_rate / 2, reference.shape[-2])
        weight = torch.where(frequency_hz < self.low_band_hz, self.low_band_weight, 1.0)
        weight = (weight / weight.mean()).unsqueeze(-1)
        linear = ((estimate - reference) / unit).square()
        floor = 1e-3 * unit
        logarithmic = ((estimate + floor).log() - (reference + floor).log()).abs()
        return (weight * (linear + self.log_weight * logarithmic)).mean()


def run(checkout: Path, name: str, runs: Path, extra: str = "") -> Path:
    """Run a recipe unless its run exists already; returns the run's folder."""
    done = runs / f"{name}.done"
    if not done.exists():
        command = f"{RECIPES[name].format(runs=runs)} {extra}".split()
        paths = [str(checkout.resolve()), str(HERE / "benchmarks")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        with (runs / f"{name}.log").open("w") as log:
            code = subprocess.call(
                [sys.executable, "-m", "wavegen", *command],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=checkout,
            )
        if code != 0:
            sys.exit(f"{checkout}: {name} ended with {code}, see {log.name}")
        done.touch()
    return runs / name


def take_recordings(other: Path, here: Path) -> None:
    """Replace the recordings and frames by the other corpus's, because the resamplers differ."""
    ours = {path.name: path for path in here.glob("*/**/*.[wn][ap][vy]")}
    for path in (*other.glob("audio/**/*.wav"), *other.glob("frames/**/*.npy")):
        shutil.copyfile(path, ours[path.name])


def compare(before: Path, after: Path) -> tuple[int, int, float]:
    """The number of tensors, the number that are not bit-identical, and their largest difference."""
    count, different, greatest = 0, 0, 0.0
    files = {path.relative_to(before) for path in before.rglob("*.safetensors")}
    if files != {path.relative_to(after) for path in after.rglob("*.safetensors")} or not files:
        sys.exit(f"{before} and {after} contain different files of weights")
    for file in sorted(files):
        left, right = load_file(before / file), load_file(after / file)
        if left.keys() != right.keys():
            sys.exit(f"{file}: the names of tensors differ: {sorted(left.keys() ^ right.keys())}")
        for name, tensor in left.items():
            count += 1
            if not torch.equal(tensor, right[name]):
                different += 1
                greatest = max(greatest, (tensor.double() - right[name].double()).abs().max().item())
    return count, different, greatest


def numbers(node: object, key: str = "") -> dict[str, float]:
    """The numbers of a nested container by their dotted names, without times."""
    if isinstance(node, dict):
        return {
            k: v for name, item in node.items() for k, v in numbers(item, f"{key}.{name}".strip(".")).items()
        }
    if isinstance(node, list):
        return {k: v for i, item in enumerate(node) for k, v in numbers(item, f"{key}.{i}").items()}
    timed = any(word in key for word in ("wall", "cpu", "speed", "seconds", "_s.", "rate", "times"))
    return {key: node} if isinstance(node, int | float) and not timed else {}


def compare_metrics(before: Path, after: Path) -> str:
    """A sentence about the numbers of metrics.json, if it exists."""
    paths = before / "metrics.json", after / "metrics.json"
    if not all(path.exists() for path in paths):
        return ""
    left, right = (numbers(json.loads(path.read_text())) for path in paths)
    shared = left.keys() & right.keys()
    other = [key for key in sorted(shared) if left[key] != right[key] and left[key] == left[key]]
    return f"{len(shared)} numbers of metrics.json, {len(other)} differ {other[:6] if other else ''}"


def main() -> None:
    """Run what is missing and print one line per recipe."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES), metavar="RECIPE")
    parser.add_argument("--runs", type=Path, default=HERE / "runs/same_weights")
    parser.add_argument(
        "--only-other", action="store_true", help="run only the other checkout, without a comparison"
    )
    options = parser.parse_args()
    if not (options.other / "wavegen").is_dir():
        parser.error(f"expected another checkout of wavegen, got {options.other}")
    folders = {"other": options.other, "here": HERE}
    objectives = "".join(path.read_text() for path in (options.other / "configs/objective").glob("*.yaml"))
    has_old_power_loss = "resolutions_ms" not in objectives
    same = True
    for name in RECIPES:
        if name not in options.only and name != "prepare":
            continue
        runs = {}
        for side, checkout in folders.items():
            if side == "here" and options.only_other:
                continue
            folder = (options.runs / side).resolve()
            folder.mkdir(parents=True, exist_ok=True)
            extra = OLD_POWER_LOSS if name == "distill" and side == "here" and has_old_power_loss else ""
            runs[side] = run(checkout, name, folder, extra)
        if options.only_other:
            continue
        if name == "prepare":
            take_recordings(options.runs / "other/corpus", options.runs / "here/corpus")
            (options.runs / "here/prepare.done").unlink()
            run(HERE, "prepare", (options.runs / "here").resolve())  # fits the encoder to what was copied
            continue
        count, different, greatest = compare(runs["other"], runs["here"])
        same = same and different == 0
        result = "the same, bit for bit" if not different else f"{different} differ, by up to {greatest:.3g}"
        print(f"{name:10}{count:5} tensors: {result}; {compare_metrics(runs['other'], runs['here'])}")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()

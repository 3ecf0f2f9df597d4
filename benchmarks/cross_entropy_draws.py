"""Variance and cost of the cross-entropy estimators of distillation, on a trained voice.

    .venv/bin/python benchmarks/cross_entropy_draws.py RUN [--corpus DIR] [--repeats 32]

One pass of student and teacher over a dev segment is held fixed; what varies is where the student's law is
evaluated. Prints, for independent and stratified draws, the standard deviation of the estimate over repeats
(nats per sample, and of the estimate at a single time step) and the median time of draws + density +
gradient, and writes ``benchmarks/results/cross_entropy_draws.json``.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.segments import SegmentStream
from wavegen.evaluation.speech.test_set import own_directory
from wavegen.objectives.distillation import DistillationStep
from wavegen.objectives.draws import IndependentDraws, StratifiedDraws
from wavegen.runs.voice import load_voice
from wavegen.runtime import prepare_process


def measure(density, conditionals, mask, draws, repeats):
    """Standard deviations over repeats, of the mean and of one step, and median seconds of one evaluation."""
    per_step, seconds = [], []
    for _ in range(repeats):
        leaf = conditionals.loc.detach().requires_grad_()
        law = type(conditionals)(leaf, conditionals.log_scale.detach())
        start = time.perf_counter()
        cross_entropy = -density.log_prob(law.icdf(draws(leaf))).mean(0)
        cross_entropy[mask].mean().backward()
        seconds.append(time.perf_counter() - start)
        per_step.append(cross_entropy.detach()[mask])
    estimates = torch.stack(per_step).double()
    return {
        "std_of_mean_nats": estimates.mean(1).std().item(),
        "std_of_one_step_nats": estimates.var(0).mean().sqrt().item(),
        "median_ms": 1e3 * statistics.median(seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="run folder with teacher and student")
    parser.add_argument("--corpus", type=Path, help="prepared corpus; default: the run's own")
    parser.add_argument("--repeats", type=int, default=32)
    arguments = parser.parse_args()
    prepare_process()
    torch.manual_seed(0)
    voice = load_voice(arguments.run)
    directory = arguments.corpus or own_directory(arguments.run)
    past = max(voice.student.receptive_field, voice.teacher.receptive_field)
    stream = SegmentStream(
        corpus=Corpus.open(directory),
        split="dev",
        segment_samples=voice.sample_rate // 2,
        past_samples=past,
        batch_size=2,
        seed=0,
    )
    batch = stream.batch(0)
    with torch.no_grad():
        step = DistillationStep(
            teacher=voice.teacher,
            student=voice.student,
            recording=batch.waveform,
            context=batch.context,
            mask=batch.mask,
        )
        density, conditionals = step.teacher_density, step.conditionals
    rows = []
    print(f"{'draws':>14} {'N':>3} {'std of mean':>12} {'std of one step':>16} {'median ms':>10}")
    for kind in (IndependentDraws, StratifiedDraws):
        for num_draws in (1, 2, 4, 8, 16, 32):
            figures = measure(density, conditionals, batch.mask, kind(num_draws=num_draws), arguments.repeats)
            rows.append({"draws": kind.__name__, "num_draws": num_draws, **figures})
            print(
                f"{kind.__name__[:-5]:>14} {num_draws:>3} {figures['std_of_mean_nats']:>12.5f} "
                f"{figures['std_of_one_step_nats']:>16.4f} {figures['median_ms']:>10.1f}"
            )
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "cross_entropy_draws.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

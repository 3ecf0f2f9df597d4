"""Variance and cost of the cross-entropy estimators of distillation, on a trained voice.

    .venv/bin/python benchmarks/cross_entropy_draws.py RUN [--corpus DIR] [--repeats 32]

One pass of student and teacher over a dev segment is fixed; only the draws from the student's conditionals
change. The script prints, for independent and stratified draws, the standard deviation of the estimate over
repeats (nats per sample, and at a single time step) and the median time of draws + density + gradient. It
writes ``benchmarks/results/cross_entropy_draws.json``.
"""

import argparse
import json
from pathlib import Path

import torch

from wavegen.benchmark.timing import Subject, interleaved
from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.segments import SegmentStream
from wavegen.evaluation.speech.test_set import own_directory
from wavegen.objectives.distillation import DistillationStep
from wavegen.objectives.draws import IndependentDraws, StratifiedDraws
from wavegen.report.tables import text_table
from wavegen.runs.voice import load_voice
from wavegen.runtime import prepare_process


def evaluated(density, conditionals, draws):
    """The cross-entropy of every step, evaluated once with its gradient."""
    leaf = conditionals.loc.detach().requires_grad_()
    law = type(conditionals)(leaf, conditionals.log_scale.detach())
    cross_entropy = -density.log_prob(law.icdf(draws(leaf))).mean(0)
    cross_entropy.mean().backward()
    return cross_entropy.detach()


def deviations(density, conditionals, mask, draws, repeats):
    """Standard deviations over repeats, of the mean and of one step."""
    estimates = torch.stack([evaluated(density, conditionals, draws)[mask] for _ in range(repeats)]).double()
    return {
        "std_of_mean_nats": estimates.mean(1).std().item(),
        "std_of_one_step_nats": estimates.var(0).mean().sqrt().item(),
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
    kinds = {
        (kind.__name__, count): kind(num_draws=count)
        for kind in (IndependentDraws, StratifiedDraws)
        for count in (1, 2, 4, 8, 16, 32)
    }
    subjects = [
        Subject(
            {"draws": name, "num_draws": count},
            lambda size, draws=draws: evaluated(density, conditionals, draws),
            torch.get_num_threads(),
            largest=1,
        )
        for (name, count), draws in kinds.items()
    ]
    measured = interleaved(subjects, repeats=arguments.repeats, duration_s=0.0, title="draws")
    rows = [
        {
            **m.labels,
            **deviations(density, conditionals, batch.mask, draws, arguments.repeats),
            "median_ms": 1e3 / m.median,
        }
        for m, draws in zip(measured, kinds.values(), strict=True)
    ]
    cells = [
        [
            f"{row['draws'][:-5]}, {row['num_draws']}",
            f"{row['std_of_mean_nats']:.5f}",
            f"{row['std_of_one_step_nats']:.4f}",
            f"{row['median_ms']:.1f}",
        ]
        for row in rows
    ]
    print("\n".join(text_table(["draws", "std of mean", "std of one step", "median ms"], cells)))
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "cross_entropy_draws.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

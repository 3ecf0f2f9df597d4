"""Cost of every term of a distillation's loss, in seconds of one core for a step.

    .venv/bin/python benchmarks/loss_terms.py [--model tiny] [--batch-size 8] [--segment-s 0.5] [--repeats 7]

Teacher, student and classifier have their initial weights, and recordings are noise: no time depends on what
they say. For every term of ``configs/term`` and of the default objective, the script measures the forward
pass and the gradient with respect to the student's sample; of the contrastive term what it adds to the
divergence; of the adversarial term the step of its critics too. It prints medians beside those of the student
itself, and writes ``benchmarks/results/loss_terms.json``. Time is that of the process, on one thread, so that
other load counts little.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from wavegen.calls import build_all
from wavegen.cli.composition import compose_config
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.phone_classifier import PhoneClassifier
from wavegen.objectives.contrastive import ContrastiveKL
from wavegen.objectives.distillation import DistillationStep, WeightedTerm, distillation_terms
from wavegen.objectives.perceptual import PerceptualLoss
from wavegen.report.tables import text_table
from wavegen.resources import resource_directory
from wavegen.runs.weights import build_model
from wavegen.runtime import prepare_process
from wavegen.training.critics import Critics

SAMPLE_RATE, HOP_SAMPLES, NUM_FEATURES = 16000, 80, 332


def seconds(run: Callable[[], object], repeats: int) -> float:
    """Median process time of a call, after one that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return statistics.median(times)


def make_step(config: DictConfig, batch_size: int, segment_s: float) -> DistillationStep:
    """A step of models with their initial weights, on noise."""
    models = [
        build_model(OmegaConf.to_container(config[name], resolve=True), source=name)
        for name in ("teacher", "student")
    ]
    num_frames = round(segment_s * SAMPLE_RATE / HOP_SAMPLES)
    recording = 0.1 * torch.randn(batch_size, num_frames * HOP_SAMPLES)
    context = SpeechContext.zeros(num_features=NUM_FEATURES, num_frames=num_frames + 1, batch_size=batch_size)
    return DistillationStep(
        teacher=models[0].requires_grad_(False).eval(),
        student=models[1],
        recording=recording,
        context=context,
        mask=torch.ones(recording.shape, dtype=torch.bool),
    )


def again(step: DistillationStep) -> DistillationStep:
    """The step before anything is computed."""
    given = {name: getattr(step, name) for name in ("teacher", "student", "recording", "context", "mask")}
    return DistillationStep(**given)


def term_cost(term: WeightedTerm, step: DistillationStep, repeats: int) -> float:
    """Seconds of forward pass and gradient with respect to the sample, and of the critic's step."""
    critics = Critics(nn.ModuleDict({"term": term}))
    critics.begin()

    def run() -> None:
        constant = step.without_gradient()
        constant.sample.requires_grad_()
        if isinstance(term.loss, ContrastiveKL):  # the divergence computes it anyway
            constant.__dict__["teacher_density"] = step.teacher_density
        critics.update(constant, ["term"], lambda gradient: gradient)
        term(constant).value.backward()

    return seconds(run, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="tiny", help="preset of teacher and student")
    parser.add_argument("--batch-size", type=int, default=8, help="segments")
    parser.add_argument("--segment-s", type=float, default=0.5, help="seconds of a segment")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results/loss_terms.json")
    arguments = parser.parse_args()
    prepare_process()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    configs = resource_directory("configs")
    names = sorted({path.stem for path in (configs / "term").glob("[!_]*.yaml")} - {"perceptual"})
    words = [f"term=[{','.join(names)}]", f"teacher={arguments.model}", f"student={arguments.model}"]
    words += ["source_filter=none"]  # its own cost is that of another stage
    config = compose_config("distill", words, configs=configs)
    config.voice = {"sample_rate": SAMPLE_RATE, "hop_samples": HOP_SAMPLES, "num_features": NUM_FEATURES}
    step = make_step(config, arguments.batch_size, arguments.segment_s)
    classifier = PhoneClassifier(num_phones=60, sample_rate=SAMPLE_RATE, hop_samples=HOP_SAMPLES)
    entries = {
        **build_all(config.objective, _convert_="all"),
        "perceptual": {"loss": PerceptualLoss(classifier=classifier)},
    }
    terms = distillation_terms(entries, list(step.recording))
    rows = {"student": seconds(lambda: again(step).sample.sum().backward(), arguments.repeats)}
    rows |= {name: term_cost(term, step, arguments.repeats) for name, term in terms.items()}
    print("\n".join(text_table(["term", "seconds"], [[n, f"{s:.3f}"] for n, s in rows.items()])))
    arguments.output.parent.mkdir(exist_ok=True, parents=True)
    record = {"model": arguments.model, "batch_size": arguments.batch_size, "segment_s": arguments.segment_s}
    arguments.output.write_text(json.dumps(record | {"seconds": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Speed of teacher and student on a source-filter model, against the same nets without one.

    .venv/bin/python benchmarks/source_filter_speed.py [--model tiny] [--rounds 9] [--seconds 2]
    scripts/as-avx2 .venv/bin/python benchmarks/source_filter_speed.py

The nets have their initial weights and the sizes of ``configs/``. Both of a pair speak ``--seconds`` in
turns, and the ratios are those within each round. With one thread, time is that of the process, so that other
load counts little; with two, it is wall time. The last rows have the voice of the source-filter model alone,
against PyTorch. Writes ``benchmarks/results/source_filter_speed.json``.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import nn

from wavegen.cli.composition import compose_config
from wavegen.linguistics.context import SpeechContext
from wavegen.report.tables import text_table
from wavegen.resources import resource_directory
from wavegen.runs.weights import build_model
from wavegen.runtime import prepare_process
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sequential import SequentialSampler
from wavegen.training.speech_stages import student_config, teacher_config

NUM_FEATURES = 332


def make_models(preset: str, sample_rate: int, source_filter: str) -> dict[str, nn.Module]:
    """Teacher and student of a preset, in evaluation mode."""
    words = [f"teacher={preset}", f"student={preset}", f"source_filter={source_filter}"]
    config = compose_config("distill", words, configs=resource_directory("configs"))
    config.voice = {
        "sample_rate": sample_rate,
        "hop_samples": sample_rate // 200,
        "num_features": NUM_FEATURES,
    }
    OmegaConf.resolve(config)
    teacher = teacher_config(config)
    torch.manual_seed(0)
    return {
        "teacher": build_model(teacher, source="teacher").eval(),
        "student": build_model(student_config(config, teacher), source="student").eval(),
    }


def make_context(num_frames: int) -> SpeechContext:
    """Random features, an F0 of 100 to 150 Hz, and voicing in phrases of half a second."""
    return SpeechContext(
        features=torch.randn(1, NUM_FEATURES, num_frames),
        cycles=(0.5 + 0.25 * torch.rand(1, num_frames)).cumsum(-1),
        voiced=((torch.arange(num_frames) // 100) % 3 < 2).float()[None],
    )


def speaking(sampler: ParallelSampler | SequentialSampler, num_samples: int, hop_samples: int) -> Callable:
    context = make_context(-(-num_samples // hop_samples) + 1)
    lengths = torch.tensor([num_samples])
    return lambda: sampler.sample(context, lengths, generator=torch.Generator().manual_seed(0))


def compare(first: Callable, second: Callable, rounds: int, threads: int = 1) -> dict[str, float]:
    """Median seconds of both, and the median of the ratios first / second of a round."""
    clock = time.process_time if threads == 1 else time.perf_counter
    times = []
    for index in range(1 + rounds):  # compiles and warms up in the first
        row = []
        for run in (first, second):
            start = clock()
            run()
            row.append(clock() - start)
        times += [row] if index else []
    ratios = sorted(a / b for a, b in times)
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    return {
        "seconds": medians[0],
        "against_seconds": medians[1],
        "ratio": statistics.median(ratios),
        "ratio_from": ratios[0],
        "ratio_to": ratios[-1],
    }


def main() -> None:
    """Measure every case and print the table."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--model", default="tiny", help="preset of teacher and student")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0, help="of speech in a call")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent / "results/source_filter_speed.json"
    )
    arguments = parser.parse_args()
    prepare_process()
    samplers = {"teacher": SequentialSampler, "student": ParallelSampler}
    rows = {}
    for sample_rate in (8000, 16000):
        hop, num_samples = sample_rate // 200, round(arguments.seconds * sample_rate)
        plain, excited = (make_models(arguments.model, sample_rate, each) for each in ("none", "default"))
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for name, sampler in samplers.items():
                runs = [
                    speaking(sampler(models[name], num_threads=threads), num_samples, hop)
                    for models in (plain, excited)
                ]
                case = f"{name}, {sample_rate} Hz, {threads} threads"
                rows[case] = compare(*runs, arguments.rounds, threads)
        torch.set_num_threads(1)
        voice, context = excited["teacher"].source_filter.voice, make_context(num_samples // hop + 1)
        noise = voice.noise((1, num_samples))

        def in_pytorch(voice=voice, noise=noise, context=context) -> None:
            with torch.inference_mode():
                voice.rsample_with_conditionals(noise, context)

        run = speaking(ParallelSampler(voice, num_threads=1), num_samples, hop)
        rows[f"voice alone, {sample_rate} Hz, PyTorch against engine"] = compare(
            in_pytorch, run, arguments.rounds
        )
    heads = ["case", "plain, s", "source-filter, s", "speed, ratio", "from", "to"]
    table = [
        [case, f"{row['seconds']:.4f}", f"{row['against_seconds']:.4f}"]
        + [f"{row[key]:.3f}" for key in ("ratio", "ratio_from", "ratio_to")]
        for case, row in rows.items()
    ]
    print("\n".join(text_table(heads, table)))
    arguments.output.parent.mkdir(exist_ok=True, parents=True)
    record = {"model": arguments.model, "speech_seconds": arguments.seconds, "cases": rows}
    arguments.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Measures peak memory and cost against length of a streaming student, in its own process.

    echo SETTINGS | python -m wavegen.benchmark.streaming

Each length is synthesised as a stream whose blocks are checked and dropped. Memory is the resident set: after
the imports, with model and features (those of the longest utterance), and at its peak.
"""

import resource
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from tqdm import tqdm

from wavegen.benchmark.children import answer, settings_of_child
from wavegen.benchmark.nets import check_sound, make_context, make_student
from wavegen.linguistics.context import SpeechContext
from wavegen.runtime import prepare_process
from wavegen.synthesis.parallel import ParallelSampler


def peak_memory_mb() -> float:
    """The peak resident memory of this process, in 10⁶ bytes.

    Linux's VmHWM covers this program only; the value of ``getrusage`` may include the parent's memory.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def memory_mb() -> float:
    """The resident memory of this process now, in 10⁶ bytes."""
    return psutil.Process().memory_info().rss / 1e6


def stream_seconds(sampler: ParallelSampler, context: SpeechContext | None, num_samples: int) -> float:
    """Wall time of the synthesis of ``num_samples`` samples block by block."""
    start = time.perf_counter()
    spoken = 0
    for block in sampler.stream(context, num_samples, generator=torch.Generator().manual_seed(0)):
        check_sound(block, "the streaming student")
        spoken += block.shape[-1]
    seconds = time.perf_counter() - start
    if spoken != num_samples:
        raise RuntimeError(f"the stream had {spoken} samples, expected {num_samples}")
    return seconds


def repeats_within(length_s: float, repeats: int, budget_s: float) -> int:
    """The repeats of a length: ``repeats``, or as many as fit in ``budget_s`` of speech, at least one."""
    return max(1, min(repeats, int(budget_s / length_s)))


def measure(settings: dict[str, Any]) -> dict[str, Any]:
    """Memory in MB, and the seconds of every utterance by its length, the shortest first.

    Each length is measured :func:`repeats_within` times.
    """
    imported_mb = memory_mb()
    rate, conditioning = settings["sample_rate"], settings["conditioning"]
    lengths_s = sorted(settings["lengths_s"])
    context = make_context(conditioning, round(lengths_s[-1] * rate))
    student = make_student(settings["student"], conditioning, seed=settings["seed"])
    sampler = ParallelSampler(student, precision=settings["precision"], num_threads=settings["threads"])
    loaded_mb = memory_mb()
    stream_seconds(sampler, context, round(min(1.0, lengths_s[-1]) * rate))  # compiles or loads code
    runs = [
        length_s
        for length_s in lengths_s
        for _ in range(repeats_within(length_s, settings["repeats"], settings["budget_s"]))
    ]
    seconds: dict[float, list[float]] = {length_s: [] for length_s in lengths_s}
    for length_s in tqdm(runs, desc="lengths", unit="stream", disable=None, leave=False):
        seconds[length_s].append(stream_seconds(sampler, context, round(length_s * rate)))
    return {
        "precision": settings["precision"],
        "threads": settings["threads"],
        "length_s": lengths_s[-1],
        "after_imports_mb": imported_mb,
        "with_model_and_features_mb": loaded_mb,
        "peak_mb": peak_memory_mb(),
        "streams": [{"length_s": length_s, "seconds": seconds[length_s]} for length_s in lengths_s],
    }


if __name__ == "__main__":
    asked = settings_of_child()
    prepare_process()
    torch.set_num_threads(asked["threads"])
    answer(measure(asked))

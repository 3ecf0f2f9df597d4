"""Measures the time to first audio: from the call to the first block of samples."""

import math
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from tqdm import tqdm

from wavegen.benchmark.children import answer, ask_child, settings_of_child
from wavegen.benchmark.nets import check_sound, make_context, make_student, make_teacher
from wavegen.benchmark.precisions import of_student
from wavegen.benchmark.timing import Subject, interleaved
from wavegen.engines.precision import PRECISIONS
from wavegen.runtime import prepare_process
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sequential import SequentialSampler

TEACHER_S = 0.02
"""Length of the teacher's first audio in seconds, because it makes single samples."""
UTTERANCE_S = 10.0
"""Length of the utterance in seconds; a student's stream is closed after its first block."""

MODULE = "wavegen.benchmark.first_audio"

Call = Callable[[], torch.Tensor]


def first_sounds(config: Mapping[str, Any], threads: int) -> dict[tuple[str, str], Callable[[], Call]]:
    """By model and precision: a function that builds the engine and returns the call for its first audio."""
    rate, seed = config["sample_rate"], config["seed"]
    num_samples = round(UTTERANCE_S * rate)
    context = make_context(config["conditioning"], num_samples)

    def of_speaker(precision: str) -> Callable[[], Call]:
        def build() -> Call:
            student = make_student(config["student"], config["conditioning"], seed=seed)
            sampler = ParallelSampler(student, precision=precision, num_threads=threads)

            def first_block() -> torch.Tensor:
                generator = torch.Generator().manual_seed(seed)
                stream = sampler.stream(context, num_samples, generator=generator)
                block = next(stream)
                stream.close()
                return block

            return first_block

        return build

    def of_teacher(precision: str) -> Callable[[], Call]:
        def build() -> Call:
            teacher = make_teacher(config["teacher"], config["conditioning"], seed=seed)
            sampler = SequentialSampler(teacher, precision=precision, num_threads=threads)
            length = torch.tensor([round(TEACHER_S * rate)])
            return lambda: sampler.sample(context, length, generator=torch.Generator().manual_seed(seed))

        return build

    student, teacher = "student, first block", f"teacher, first {1000 * TEACHER_S:.0f} ms"
    return {(student, precision): of_speaker(precision) for precision in of_student()} | {
        (teacher, precision): of_teacher(precision) for precision in PRECISIONS
    }


def _call_once(call: Call, size: int) -> None:
    call()


def time_to_first_audio(
    config: Mapping[str, Any], threads: int, deadline: float = math.inf
) -> list[dict[str, Any]]:
    """Median milliseconds from the call to the first audio in this process, with all code loaded."""
    subjects, samples = [], {}
    for (title, precision), build in first_sounds(config, threads).items():
        call = build()
        samples[title, precision] = check_sound(call(), title).shape[-1]
        labels = {"subject": title, "precision": precision}
        subjects.append(Subject(labels, partial(_call_once, call), threads, largest=1))
    # These calls are short, so there are more repeats than elsewhere.
    measured = interleaved(
        subjects,
        repeats=4 * config["repeats"] + 1,
        duration_s=0.0,
        title="time to first audio",
        deadline=deadline,
    )
    records = []
    for measurement in measured:
        times_ms = sorted(1e3 / rate for rate in measurement.rates)
        key = (measurement.labels["subject"], measurement.labels["precision"])
        records.append(
            {
                **measurement.labels,
                "threads": threads,
                "milliseconds": 1e3 / measurement.median,
                "lowest": times_ms[0],
                "highest": times_ms[-1],
                "samples": samples[key],
            }
        )
    return records


def fresh_processes(
    config: Mapping[str, Any], threads: int, deadline: float = math.inf
) -> dict[str, list[dict[str, Any]]]:
    """Seconds that a new process needs to build each engine and for its first audio.

    One process starts without compiled code (as after an installation), a second one with the code that the
    first has cached on disk. Measurements that do not end before ``deadline`` are left out.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as cache, suppress(subprocess.TimeoutExpired):
        for name in ("compiling", "loading"):
            left_s = None if math.isinf(deadline) else max(0.0, deadline - time.monotonic())
            settings = {**config, "threads": threads, "title": f"a new process, {name}"}
            found[name] = ask_child(MODULE, settings, timeout_s=left_s, NUMBA_CACHE_DIR=cache)
    return found


def main() -> None:
    """In the child: measure the engines one after the other; torch is loaded already."""
    config = settings_of_child()
    prepare_process()
    torch.set_num_threads(config["threads"])
    records = []
    makers = first_sounds(config, config["threads"]).items()
    for (title, precision), build in tqdm(
        makers, desc=config["title"], unit="engine", disable=None, leave=False
    ):
        started = time.perf_counter()
        call = build()
        built = time.perf_counter()
        call()
        done = time.perf_counter()
        records.append(
            {
                "subject": title,
                "precision": precision,
                "build_s": built - started,
                "first_sound_s": done - built,
            }
        )
    answer(records)


if __name__ == "__main__":
    main()

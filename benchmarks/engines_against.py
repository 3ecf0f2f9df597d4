"""Compares the speed of the compiled engines of this checkout and another one, interleaved.

    git worktree add ../before COMMIT
    .venv/bin/python benchmarks/engines_against.py ../before
    scripts/as-avx2 .venv/bin/python benchmarks/engines_against.py ../before

Each checkout has its own process, which waits while the other one computes. The nets are those of
configs/benchmark.yaml. The script prints the medians of both, and of the ratios within each round: samples
per second, and how many times per second a stream's first block can be computed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import yaml
from tqdm import tqdm

HERE = Path(__file__).resolve().parent.parent
FIRST_BLOCK = 0
CASES = {
    f"{net}, {precision}, {threads} threads, {items} utterances": (net, precision, threads, items)
    for net, batch_sizes in (("teacher", (1, 16)), ("student", (1,)))
    for precision in ("float32", "bfloat16")
    for items in batch_sizes
    for threads in (1, 2)
}
CASES |= {
    f"{net}, {precision}, first block of a stream": (net, precision, 2, FIRST_BLOCK)
    for net in ("teacher", "student")
    for precision in ("float32", "bfloat16")
}
"""By name: the net, its precision, threads, and utterances at once or ``FIRST_BLOCK``."""


def speak_when_asked() -> None:
    """The process of one checkout: reads one case per line and prints the seconds of its synthesis."""
    try:
        from wavegen.benchmark.nets import make_context, make_student, make_teacher
    except ImportError:  # the module's place in older versions
        from wavegen.evaluation.benchmark.nets import make_context, make_student, make_teacher
    from wavegen.synthesis.parallel import ParallelSampler
    from wavegen.synthesis.sequential import SequentialSampler

    config = yaml.safe_load((HERE / "configs/benchmark.yaml").read_text())
    make = {"teacher": make_teacher, "student": make_student}
    samplers = {"teacher": SequentialSampler, "student": ParallelSampler}
    nets = {name: function(config[name], config["conditioning"], seed=0) for name, function in make.items()}
    ready = {}
    for line in sys.stdin:
        request = json.loads(line)
        net, precision, threads, items = case = tuple(request["case"])
        size = request["size"]
        if case not in ready:
            ready[case] = samplers[net](nets[net], precision=precision, num_threads=threads)
        torch.set_num_threads(threads)
        context = make_context(config["conditioning"], size, max(items, 1))
        generator = torch.Generator().manual_seed(0)
        start = time.perf_counter()
        if items == FIRST_BLOCK:
            stream = ready[case].stream(context, size, generator=generator)
            next(stream)
        else:
            ready[case].sample(context, torch.full((items,), size), generator=generator)
        print(json.dumps(time.perf_counter() - start), flush=True)
        if items == FIRST_BLOCK:
            stream.close()


def main() -> None:
    """Start both processes, measure in turns and print the table."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("other", type=Path, nargs="?", help="the other checkout")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--call-s", type=float, default=0.7, help="seconds of a timed call")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return speak_when_asked()
    if options.other is None or not (options.other / "wavegen").is_dir():
        parser.error(f"expected another checkout of wavegen, got {options.other}")
    workers = [
        subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--worker"],
            env={**os.environ, "PYTHONPATH": str(checkout.resolve())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for checkout in (HERE, options.other)
    ]

    def seconds(worker: subprocess.Popen, case: tuple, size: int) -> float:
        worker.stdin.write(json.dumps({"case": case, "size": size}) + "\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
        if not answer:
            sys.exit(f"the process of {worker.args[-1]} ended")
        return json.loads(answer)

    print(f"{'':44}{'here':>10}{'other':>10}{'ratio':>8}   samples/s; ratios from to")
    for name, case in tqdm(CASES.items(), disable=None):
        if options.only not in name:
            continue
        size = 2400 if case[3] else 48000
        for worker in workers:  # compiles and warms up
            seconds(worker, case, size)
        took = max(seconds(worker, case, size) for worker in workers)
        if case[3]:
            size = 120 * max(20, round(size * options.call_s / took / 120))
        rounds = [[seconds(worker, case, size) for worker in workers] for _ in range(options.rounds)]
        amount = case[3] * size or 1
        here, other = (amount / statistics.median(times) for times in zip(*rounds, strict=True))
        ratios = sorted(other_s / here_s for here_s, other_s in rounds)
        spread = f"{statistics.median(ratios):8.3f}   {ratios[0]:.3f} {ratios[-1]:.3f}"
        tqdm.write(f"{name:44}{here:10,.0f}{other:10,.0f}{spread}")


if __name__ == "__main__":
    main()

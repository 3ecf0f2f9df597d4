"""Start, memory and throughput of the loader for a million cuts in shards, and for a corpus without shards.

    .venv/bin/python benchmarks/sharded_corpus.py [--cuts 1000000] [--batches 3000] [--segment-s 0.5]

The embedded sentences are prepared at 16 kHz, in shards of 64 utterances. The million is simulated: the
whole shards are linked until there are as many cuts (hard links, so the disk holds each once). Each row is
measured in a process of its own, which loads batches of 8 segments with the past of a teacher, in one thread:

- start: from opening the corpus to the first batch, imports excluded,
- memory: resident set after a tenth of the batches, and at the end,
- segments and seconds of scored speech per second of the process's time,
- whether batch n of a stream that starts there equals batch n of one that has come there.

Prints a table and writes ``benchmarks/results/sharded_corpus.json``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import torch

from wavegen.data.speech.corpus import Corpus
from wavegen.data.speech.prepare import prepare_corpus
from wavegen.data.speech.segments import SegmentStream
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.files import write_bytes
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.report.tables import text_table
from wavegen.runtime import prepare_process

SHARD_SIZE, BATCH_SIZE, PAST_SAMPLES, SAMPLE_RATE = 64, 8, 3070, 16000
RESULT = Path(__file__).parent / "results" / "sharded_corpus.json"


def simulate(corpus: Corpus, num_cuts: int) -> None:
    """Links the whole shards of a corpus until there are ``num_cuts`` cuts."""
    index = corpus.directory / "train.shards.json"
    sizes = [size for size in json.loads(index.read_text())["utterances_and_frames"] if size[0] == SHARD_SIZE]
    num_shards = -(-num_cuts // SHARD_SIZE)
    for number in range(num_shards):
        for pattern in ("cuts.%06d.jsonl.gz", "recording.%06d.tar", "frames.%06d.tar"):
            path = corpus.directory / "train" / (pattern % number)
            if number >= len(sizes):
                path.unlink(missing_ok=True)
                os.link(path.with_name(pattern % (number % len(sizes))), path)
    repeated = [sizes[number % len(sizes)] for number in range(num_shards)]
    index.write_text(json.dumps({"utterances_and_frames": repeated}))


def stream(directory: str, segment_s: float, first_batch: int = 0) -> SegmentStream:
    segment_samples = round(segment_s * 200) * SAMPLE_RATE // 200
    return SegmentStream(
        corpus=Corpus.open(directory),
        split="train",
        segment_samples=segment_samples,
        past_samples=PAST_SAMPLES,
        batch_size=BATCH_SIZE,
        seed=0,
        first_batch=first_batch,
    )


def megabytes() -> float:
    return psutil.Process().memory_info().rss / 2**20


def measure(directory: str, num_batches: int, segment_s: float) -> dict:
    prepare_process()
    torch.set_num_threads(1)
    before_mb, start = megabytes(), time.perf_counter()
    batches = iter(stream(directory, segment_s))
    next(batches)
    start_s = time.perf_counter() - start
    begin = time.process_time()
    for number in range(1, num_batches):
        batch = next(batches)
        if number == num_batches // 10:
            early_mb = megabytes()
    seconds = time.process_time() - begin
    again = next(iter(stream(directory, segment_s, first_batch=num_batches - 1)))
    return {
        "start_s": start_s,
        "before_mb": before_mb,
        "early_mb": early_mb,
        "end_mb": megabytes(),
        "segments_per_s": BATCH_SIZE * (num_batches - 1) / seconds,
        "speech_s_per_s": segment_s * BATCH_SIZE * (num_batches - 1) / seconds,
        "resumed_equal": torch.equal(batch.waveform, again.waveform)
        and torch.equal(batch.context["features"], again.context["features"]),
    }


def in_a_process(directory: Path, num_batches: int, segment_s: float) -> dict:
    command = [sys.executable, __file__, "--measure", str(directory)]
    command += ["--batches", str(num_batches), "--segment-s", str(segment_s)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cuts", type=int, default=1_000_000, help="cuts of the simulated corpus")
    parser.add_argument("--batches", type=int, default=3000, help="batches of 8 segments")
    parser.add_argument("--segment-s", type=float, default=0.5, help="scored seconds of a segment")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.batches, arguments.segment_s)))
        return
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        source = SpokenSentences(EspeakFrontEnd())
        for name, shard_size in (("no shards", None), ("shards", SHARD_SIZE)):
            directory = Path(folder, name.replace(" ", "-"))
            corpus = prepare_corpus(source, directory, SAMPLE_RATE, shard_size=shard_size)
            rows[f"{corpus.sizes['train']} cuts, {name}"] = in_a_process(
                directory, arguments.batches, arguments.segment_s
            )
        simulate(corpus, arguments.cuts)
        rows[f"{arguments.cuts} cuts, shards"] = in_a_process(
            directory, arguments.batches, arguments.segment_s
        )
    columns = [
        "start, s",
        "before, MB",
        "after a tenth, MB",
        "end, MB",
        "segments/s",
        "speech s/s",
        "resumes",
    ]
    lines = [[name, *(f"{float(value):.4g}" for value in row.values())] for name, row in rows.items()]
    print("\n".join(text_table(["corpus", *columns], lines)))
    settings = {key: value for key, value in vars(arguments).items() if key != "measure"}
    write_bytes(RESULT, (json.dumps({"settings": settings, "rows": rows}, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()

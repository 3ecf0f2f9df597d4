"""Measures the effect of bfloat16: on the teacher's bits per sample and on the student's waveform.

    .venv/bin/python benchmarks/rounded_weights.py RUN [--utterances 12] [--json RESULT]

RUN is the folder of a trained voice; the test utterances of its corpus are used. The sequential engine scores
the recordings under the teacher (16-bit mass, as in the reports) in float32 and with weights rounded to
bfloat16. The student uses the same noise in both precisions; the difference is given as a signal-to-noise
ratio.
"""

import argparse
import json
import math

import torch
from tqdm import tqdm

from wavegen.benchmark.precisions import NO_ENGINE, of_student
from wavegen.data.speech.corpus import Corpus
from wavegen.engines.sequential.engine import TeacherEngine
from wavegen.evaluation.speech.test_set import load_utterances, own_directory
from wavegen.files import write_bytes
from wavegen.linguistics.context import SpeechContext
from wavegen.runs.voice import load_voice
from wavegen.runtime import prepare_process
from wavegen.synthesis.parallel import ParallelSampler

PRECISIONS = ("float32", "bfloat16")


def teacher_bits(teacher, waveform, context) -> dict[str, float]:
    """Bits per sample of one recording, by precision."""
    waveform = waveform[None]
    return {
        precision: -TeacherEngine(teacher, precision=precision)
        .conditionals(waveform, context)
        .log_prob(waveform)
        .double()
        .mean()
        .item()
        / math.log(2)
        for precision in PRECISIONS
    }


def student_noise_db(student, num_samples, context, seed) -> float:
    """Signal-to-noise ratio of the student's waveform in bfloat16 relative to float32, in dB."""
    exact, rounded = (
        ParallelSampler(student, precision=precision)
        .sample(context, torch.tensor([num_samples]), generator=torch.Generator().manual_seed(seed))
        .double()
        for precision in PRECISIONS
    )
    return (10 * torch.log10(exact.square().mean() / (exact - rounded).square().mean())).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="folder of a trained voice")
    parser.add_argument("corpus", nargs="?", help="its prepared corpus; by default the run's own")
    parser.add_argument("--utterances", type=int, default=12, help="test utterances to read")
    parser.add_argument("--json", help="where to write the figures")
    arguments = parser.parse_args()
    prepare_process()
    voice = load_voice(arguments.run)
    directory = arguments.corpus or own_directory(arguments.run)
    corpus = Corpus.open(directory)
    utterances = list(load_utterances(voice, corpus, "test", arguments.utterances))
    bits, counts, ratios = {precision: 0.0 for precision in PRECISIONS}, 0, []
    for index, utterance in enumerate(tqdm(utterances, unit="utterance")):
        context, count = SpeechContext.collate([utterance.context]), utterance.waveform.shape[-1]
        if voice.teacher is not None:
            for precision, value in teacher_bits(voice.teacher, utterance.waveform, context).items():
                bits[precision] += value * count
        if voice.student is not None and "bfloat16" in of_student():
            ratios.append(student_noise_db(voice.student, count, context, index))
        counts += count
    result = {"utterances": len(utterances), "samples": counts}
    if voice.teacher is not None:
        result |= {f"teacher_bits_per_sample_{key}": value / counts for key, value in bits.items()}
        result["teacher_cost_bits_per_sample"] = (bits["bfloat16"] - bits["float32"]) / counts
    if ratios:
        result["student_signal_to_noise_db"] = {"least": min(ratios), "mean": sum(ratios) / len(ratios)}
    elif voice.student is not None:
        result["student_left_out"] = NO_ENGINE
    for key, value in result.items():
        print(f"{key:40} {value}")
    if arguments.json:
        write_bytes(arguments.json, json.dumps(result, indent=2).encode())


if __name__ == "__main__":
    main()

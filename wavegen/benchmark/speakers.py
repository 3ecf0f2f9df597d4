"""The samplers that are timed: teacher with and without cached states, student in PyTorch and engine."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from wavegen.benchmark.nets import check_sound, make_context, make_student, make_teacher
from wavegen.benchmark.plain import PlainWaveNet
from wavegen.benchmark.precisions import of_student, of_torch
from wavegen.benchmark.timing import CPU, Subject
from wavegen.engines.precision import PRECISIONS
from wavegen.linguistics.context import SpeechContext
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.reference import ReferenceSampler
from wavegen.synthesis.sequential import SequentialSampler


def teacher_subjects(config: Mapping[str, Any], threads: int) -> list[Subject]:
    """The teacher: without cached states, with the plain cached step, and in the compiled engine.

    The cached forms also run a batch, and the engine also on one thread.
    """
    teacher = make_teacher(config["teacher"], config["conditioning"], seed=config["seed"])
    batch = config["batch_size"]
    subjects = [uncached_teacher(teacher, config, threads)]
    for batch_size in dict.fromkeys([1, batch]):
        labels = {
            "subject": "teacher, PyTorch step",
            "precision": "float32",
            "batch_size": batch_size,
        }
        subjects.append(sequential_teacher(ReferenceSampler(teacher), labels, config, threads))
    for count in dict.fromkeys([1, threads]):
        for batch_size in dict.fromkeys([1, batch]):
            for precision in PRECISIONS:
                sampler = SequentialSampler(teacher, precision=precision, num_threads=count)
                labels = {"subject": "teacher, engine", "precision": precision, "batch_size": batch_size}
                granule = engine_granule(config)
                subjects.append(sequential_teacher(sampler, labels, config, count, granule))
    return subjects


def uncached_teacher(teacher: torch.nn.Module, config: Mapping[str, Any], threads: int) -> Subject:
    """Sampling without cached states: each sample costs a pass over the receptive field before it."""
    window = 0.1 * torch.randn(1, teacher.receptive_field, generator=torch.Generator().manual_seed(0))
    context = make_context(config["conditioning"], window.shape[-1])

    @torch.inference_mode()
    def run(size: int) -> None:
        samples = []
        for _ in range(size):
            parameters = teacher.conditioner(window, context)[:, -1]
            uniforms = torch.rand(2, 1)
            samples.append(teacher.head(parameters).sample_from_uniforms(*uniforms))
        check_sound(torch.cat(samples), "the uncached teacher")

    labels = {"subject": "teacher, uncached", "precision": "float32", "batch_size": 1}
    return Subject(labels, run, threads)


def engine_granule(config: Mapping[str, Any]) -> int:
    """Samples of 0.1 s: in shorter calls, the set-up would dominate, which happens once per utterance."""
    return max(1, round(0.1 * config["sample_rate"]))


def sequential_teacher(
    sampler: Any, labels: dict[str, Any], config: Mapping[str, Any], threads: int, granule: int | None = None
) -> Subject:
    """A cached sampler of ``labels['batch_size']`` utterances of equal length at a time."""
    granule = granule or config["conditioning"]["hop_samples"]
    largest = max(granule, 10 * config["sample_rate"])
    batch_size = labels["batch_size"]
    context = make_context(config["conditioning"], largest, batch_size)

    def run(size: int) -> None:
        lengths = torch.full((batch_size,), size)
        generator = torch.Generator().manual_seed(0)
        check_sound(sampler.sample(context, lengths, generator=generator), labels["subject"])

    return Subject(labels, run, threads, granule=granule, largest=largest, items=batch_size)


def student_subjects(config: Mapping[str, Any], threads: int, device: torch.device = CPU) -> list[Subject]:
    """The student: one pass of plain convolutions, and the engine on all threads and on one.

    In the precisions that the CPU multiplies. All calls have the same length of utterance; several utterances
    if one is too short to be timed, a part of one if the time is limited. Another device than the CPU has no
    engine: the sampler runs there in PyTorch.
    """
    plain = make_student(config["student"], config["conditioning"], seed=config["seed"], wavenet=PlainWaveNet)
    student = make_student(config["student"], config["conditioning"], seed=config["seed"])
    plain, student = plain.to(device), student.to(device)
    subjects = [plain_student(plain, precision, config, threads) for precision in of_torch(device)]
    if device.type != "cpu":
        labels = {"subject": "student, sampler in PyTorch", "precision": "float32", "batch_size": 1}
        return [*subjects, parallel_student(ParallelSampler(student), labels, config, threads)]
    for count in dict.fromkeys([threads, 1]):
        for precision in of_student():
            sampler = ParallelSampler(student, precision=precision, num_threads=count)
            labels = {"subject": "student, engine", "precision": precision, "batch_size": 1}
            subjects.append(parallel_student(sampler, labels, config, count))
    return subjects


def plain_student(student: Any, precision: str, config: Mapping[str, Any], threads: int) -> Subject:
    """One pass of ``conv1d`` where the student lies; in bfloat16 under autocast."""
    device = next(student.parameters()).device

    @torch.inference_mode()
    def speak(num_samples: int, context: SpeechContext) -> torch.Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            noise = student.noise((1, num_samples), torch.Generator().manual_seed(0))
            return student.rsample_with_conditionals(noise, context)[0]

    labels = {"subject": "student, one pass of conv1d", "precision": precision, "batch_size": 1}
    return _utterances(speak, labels, config, threads, device)


def parallel_student(
    sampler: ParallelSampler, labels: dict[str, Any], config: Mapping[str, Any], threads: int
) -> Subject:
    """Whole utterances in the engine."""

    def speak(num_samples: int, context: SpeechContext) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return sampler.sample(context, torch.tensor([num_samples]), generator=generator)

    return _utterances(speak, labels, config, threads, sampler.device)


def _utterances(
    speak: Callable[[int, SpeechContext], torch.Tensor],
    labels: dict[str, Any],
    config: Mapping[str, Any],
    threads: int,
    device: torch.device,
) -> Subject:
    """Utterances of ``utterance_s``, or a part of one, by ``speak(num_samples, context)``."""
    hop_samples = config["conditioning"]["hop_samples"]
    whole = max(1, round(config["utterance_s"] * config["sample_rate"] / hop_samples)) * hop_samples
    contexts: dict[int, SpeechContext] = {}

    def run(size: int) -> None:
        for num_samples in [whole] * (size // whole) or [size]:
            if num_samples not in contexts:
                contexts[num_samples] = make_context(config["conditioning"], num_samples).to(device)
            check_sound(speak(num_samples, contexts[num_samples]), labels["subject"])

    granule = min(whole, engine_granule(config))
    return Subject(labels, run, threads, granule=granule, whole=whole, device=device)

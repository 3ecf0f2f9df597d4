"""The systems that are compared: they make waveforms from utterances' true features or recordings.

A system has a ``name`` and ``synthesize(utterances) -> waveforms``, one ``(samples,)`` for each utterance,
with the length of its recording. Models synthesise all utterances as one batch; for a sequential model that
costs little more than a single utterance.
"""

import zlib
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from wavegen.audio.griffin_lim import griffin_lim_from_mel
from wavegen.audio.world import has_world, world_resynthesis
from wavegen.data.speech.corpus import Utterance
from wavegen.linguistics.context import SpeechContext
from wavegen.metrics.level import level_rms
from wavegen.models.speech.protocols import ParallelModel, SequentialModel
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sequential import SequentialSampler
from wavegen.synthesis.temperature import Temperature


class System(Protocol):
    """Anything that synthesises utterances."""

    name: str

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Tensor]: ...


def seed_of(utterance: Utterance, seed: int) -> int:
    """A seed for one utterance, derived from the run's seed."""
    return zlib.crc32(f"{seed}:{utterance.id}".encode())


class Recording:
    """The recording itself, the reference of all other systems."""

    name = "recording"

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Tensor]:
        return [utterance.waveform for utterance in utterances]


class GriffinLim:
    """A waveform from the recording's mel spectrogram, without a model."""

    name = "griffin_lim"

    def __init__(self, *, sample_rate: int, seed: int) -> None:
        self.sample_rate, self.seed = sample_rate, seed

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Tensor]:
        return [
            griffin_lim_from_mel(utterance.waveform, self.sample_rate, seed=seed_of(utterance, self.seed))
            for utterance in utterances
        ]


class World:
    """The recording taken apart and put together again by the WORLD vocoder."""

    name = "world"

    def __init__(self, *, sample_rate: int) -> None:
        self.sample_rate = sample_rate

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Tensor]:
        return [world_resynthesis(utterance.waveform, self.sample_rate) for utterance in utterances]


class Shuffled:
    """The recording of the next utterance, repeated or cut to the length: speech that says something else.

    The floor of metrics of intelligibility. For a single utterance its own, shifted by half its length.
    """

    name = "shuffled"

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Tensor]:
        waveforms = []
        for index, utterance in enumerate(utterances):
            other = utterances[(index + 1) % len(utterances)].waveform
            if len(utterances) == 1:
                other = other.roll(len(other) // 2)
            waveforms.append(other[torch.arange(utterance.waveform.shape[-1]) % len(other)])
        return waveforms


class WhiteNoise:
    """Gaussian noise at the recording's level; a metric that prefers it is not useful."""

    name = "white_noise"

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Tensor]:
        waveforms = []
        for utterance in utterances:
            generator = torch.Generator().manual_seed(seed_of(utterance, self.seed))
            noise = torch.randn(utterance.waveform.shape, generator=generator)
            waveforms.append(noise * level_rms(utterance.waveform))
        return waveforms


def baselines(sample_rate: int, seed: int) -> list[System]:
    """The systems without a model, from the best to noise; WORLD only where it is installed."""
    world: list[System] = [World(sample_rate=sample_rate)] if has_world() else []
    return [*world, GriffinLim(sample_rate=sample_rate, seed=seed), Shuffled(), WhiteNoise(seed=seed)]


class Teacher:
    """The teacher, one sample after another with cached states."""

    name = "teacher"

    def __init__(
        self, teacher: SequentialModel, *, seed: int, temperature: Temperature = 1.0, progress: bool = False
    ) -> None:
        self.teacher, self.seed, self.progress = teacher, seed, progress
        self.sampler = SequentialSampler(teacher, temperature=temperature)

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Tensor]:
        return _speak(self.sampler, self.teacher, utterances, self.seed, progress=self.progress)


class Student:
    """The student, or another model (``name``) that speaks all samples at once."""

    def __init__(
        self, student: ParallelModel, *, seed: int, temperature: float = 1.0, name: str = "student"
    ) -> None:
        self.student, self.seed, self.name = student, seed, name
        self.sampler = ParallelSampler(student, temperature=temperature)

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Tensor]:
        return _speak(self.sampler, self.student, utterances, self.seed)


def _speak(
    sampler: SequentialSampler | ParallelSampler,
    model: SequentialModel | ParallelModel,
    utterances: Sequence[Utterance],
    seed: int,
    **options: bool,
) -> list[Tensor]:
    device = next(model.parameters()).device
    context = SpeechContext.collate([utterance.context for utterance in utterances]).to(device)
    lengths = torch.tensor([utterance.waveform.shape[-1] for utterance in utterances])
    generator = torch.Generator().manual_seed(seed)
    waveforms = sampler.sample(context, lengths, generator=generator, **options).cpu()
    return [waveform[:length] for waveform, length in zip(waveforms, lengths.tolist(), strict=True)]

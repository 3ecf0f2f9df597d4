"""The parallel sampler: a student generates all samples in one pass, or block by block as a stream."""

import math
import warnings
from collections.abc import Generator
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from wavegen.compiled.engine_cache import EngineCache
from wavegen.engines.conditioning_windows import Unsupported
from wavegen.engines.parallel.engine import StudentEngine, StudentSpeech
from wavegen.engines.parallel.noise_windows import NOISE_SAMPLES, NoiseWindows
from wavegen.engines.precision import CHOICES, settled_precision
from wavegen.engines.source_filter.engine import VoiceEngine, VoiceSpeech
from wavegen.engines.supported_models import check_finite, check_settings, check_speaker
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.protocols import ParallelModel
from wavegen.models.speech.source_filter import AffineNoise
from wavegen.models.speech.student import WaveNetStudent

STREAM_SAMPLES = 512
"""Default number of samples in a block of a stream."""


class ParallelSampler:
    """Synthesis by a student, or by the voice of a source-filter model; the waveform is neither rounded nor
    clipped.

    A :class:`~wavegen.models.speech.student.WaveNetStudent` or a voice in float32 on the CPU runs in a
    compiled engine (compiled at the first use on a machine, which takes some seconds). Any other student runs
    in PyTorch; one warning gives the reason. The waveform depends only on the seed: it is bit-identical for
    any number of threads and any block size. A student on another device runs there, in PyTorch and in
    float32; the same seed gives the same noise, and so the same waveform up to rounding. Contexts may lie on
    any device; waveforms lie on the student's.

    Args:
        student: with ``noise(shape, generator)`` and ``rsample_with_conditionals(noise, context)``.
        temperature: scales the noise; 1 samples the model.
        precision: of the matrix products of a student's engine: "float32", "bfloat16" or "auto". bfloat16
            rounds both factors to 8 bits of mantissa (sums stay in float32) and is up to twice as fast on
            CPUs with bfloat16 instructions. auto selects the faster one on this CPU; the attribute has the
            choice.
        num_threads: of the engine; None for the cores that this process may use.

    Raises:
        UserError: if the precision is unknown, or bfloat16 for a student on another device than the CPU; if
            the number of threads is below 1, or the temperature is not a number of at least 0.
    """

    def __init__(
        self,
        student: ParallelModel,
        *,
        temperature: float = 1.0,
        precision: str = "float32",
        num_threads: int | None = None,
    ) -> None:
        check_settings(precision, num_threads, precisions=CHOICES)
        if not 0 <= temperature < math.inf:
            raise UserError(f"a temperature must be at least 0 and finite, got {temperature:g}")
        self.student, self.temperature = student, temperature
        self.precision, self.num_threads = self._settled(precision), num_threads
        self._warned = False
        module = cast(nn.Module, student)
        self._cache = EngineCache(module, partial(check_speaker, module), self._pack)

    @property
    def device(self) -> torch.device:
        """Where the student lies."""
        return next(self.student.parameters()).device

    def sample(
        self,
        context: SpeechContext | None,
        lengths: Tensor,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Waveforms ``(batch, max(lengths))``, zero beyond each length.

        The memory beside the result does not grow with the lengths.

        Args:
            context: batched conditioning that covers the longest utterance.
            lengths: ``(batch,)`` samples.
            generator: source of the noise; the same seed gives the same speech.

        Raises:
            UserError: if a weight is not finite, or the context is too short or has another batch size.
        """
        counts = lengths.tolist()
        waveform, begin = None, 0
        for block in self._blocks(context, counts, generator, None):
            if waveform is None:
                waveform = block.new_zeros(len(counts), max(counts))
            waveform[:, begin : begin + block.shape[1]] = block
            begin += block.shape[1]
        return torch.zeros(len(counts), 0, device=self.device) if waveform is None else waveform

    def stream(
        self,
        context: SpeechContext | None,
        num_samples: int,
        *,
        generator: torch.Generator | None = None,
        block_samples: int | None = None,
    ) -> Generator[Tensor, None, None]:
        """The same waveform in blocks ``(batch, block_samples)``, the last one shorter, as they are computed.

        The blocks together equal the result of ``sample``, bit for bit. A sample depends on conditioning up
        to one frame later (the lookahead of the upsampling); conditioning is read 32 frames at a time. The
        memory beside context and blocks does not grow with the length. Closing the iterator early frees it.
        If the engine cannot run the student, all samples are computed before the first block.

        Args:
            context: batched conditioning of all frames; None (unconditional student) for one utterance.
            num_samples: of every utterance.
            generator: source of the noise; read when a block is requested.
            block_samples: of a block; None for 512.

        Raises:
            UserError: as ``sample``, and if a length or block is below 1; always before the first block.
        """
        block_samples = STREAM_SAMPLES if block_samples is None else block_samples
        for name, value in (("num_samples", num_samples), ("block_samples", block_samples)):
            if value < 1:
                raise UserError(f"{name}: expected at least 1, got {value}")
        batch_size = context.batch_size if context else 1
        return self._blocks(context, [num_samples] * batch_size, generator, block_samples)

    def _blocks(
        self,
        context: SpeechContext | None,
        lengths: list[int],
        generator: torch.Generator | None,
        block_samples: int | None,
    ) -> Generator[Tensor, None, None]:
        engine = self._engine()
        context = context.to(self.device) if context is not None else None
        if engine is None:
            check_finite(self._cache.model)
            noise = NoiseWindows(self.student, len(lengths), max(lengths), generator, self.temperature)
            return _spoken_plainly(self.student, context, lengths, noise, block_samples or max(lengths))
        speech = engine.start(context, lengths)
        noise = NoiseWindows(self.student, len(lengths), max(lengths), generator, self.temperature)
        return _spoken(speech, noise, block_samples or engine.window_samples)

    def _pack(self) -> StudentEngine | VoiceEngine:
        check_finite(self._cache.model)
        if isinstance(self.student, AffineNoise):
            return VoiceEngine(self.student.bijection, num_threads=self.num_threads)
        student = cast(WaveNetStudent, self.student)  # it was checked before
        return StudentEngine(student, precision=self.precision, num_threads=self.num_threads)

    def _settled(self, precision: str) -> str:
        if self.device.type == "cpu":
            return settled_precision(precision, "student")
        if precision == "bfloat16":
            raise UserError(
                f"precision=bfloat16 is for the CPU's engine, but the student is on {self.device}, where it "
                "computes in float32: expected float32 or auto"
            )
        return "float32"

    def _engine(self) -> StudentEngine | VoiceEngine | None:
        if self.device.type != "cpu":
            return None  # whoever moved it there wants it to compute there
        try:
            return self._cache.get()
        except Unsupported as reason:
            if not self._warned:
                warnings.warn(
                    f"the student runs in PyTorch, not in the compiled engine: {reason}", stacklevel=4
                )
                self._warned = True
            return None


def _spoken(
    speech: StudentSpeech | VoiceSpeech, noise: NoiseWindows, block_samples: int
) -> Generator[Tensor, None, None]:
    try:
        for block in noise.blocks(block_samples):
            yield speech.advance(block)
    finally:
        speech.close()


@torch.inference_mode()
def _spoken_plainly(
    student: ParallelModel,
    context: SpeechContext | None,
    lengths: list[int],
    noise: NoiseWindows,
    block_samples: int,
) -> Generator[Tensor, None, None]:
    if max(lengths) == 0:
        return
    whole = torch.cat(list(noise.blocks(NOISE_SAMPLES)), 1)
    waveform, _ = student.rsample_with_conditionals(whole, context)
    inside = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    yield from waveform.masked_fill(~inside.to(waveform.device), 0.0).split(block_samples, 1)

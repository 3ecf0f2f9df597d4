"""The sequential sampler: a causal model generates one sample after another."""

import warnings
from collections.abc import Iterator
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from wavegen.compiled.engine_cache import EngineCache
from wavegen.engines.conditioning_windows import Unsupported
from wavegen.engines.precision import CHOICES, settled_precision
from wavegen.engines.sequential.engine import TeacherEngine
from wavegen.engines.supported_models import check_settings, check_teacher
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.protocols import SequentialModel, SteppedModel
from wavegen.synthesis.reference import ReferenceSampler
from wavegen.synthesis.temperature import Temperature, temperature_of_samples


class SequentialSampler:
    """Synthesis by an autoregressive model, for a batch of unequal lengths.

    Runs on :class:`~wavegen.engines.sequential.engine.TeacherEngine`, which is compiled at first use (some
    seconds; cached on disk) and computes on the CPU, whatever the model's device: one sample after another
    is too little work for a GPU. Only the conditioning is computed on the model's device. If the engine
    cannot run a model, the model's own step form is used there, which is slow; one warning names the
    unsupported part. Contexts may lie on any device; waveforms lie on the model's.

    Args:
        model: with ``conditioner`` (step form) and ``head`` whose distribution has ``sample_from_uniforms``.
        temperature: scales the spread of each conditional; 1 samples the model, lower values reduce noise. It
            may depend on voicing (:class:`~wavegen.synthesis.temperature.VoicedTemperature`).
        precision: ``float32``; ``bfloat16``, which rounds the weights; or ``auto``, the faster one on this
            CPU; the attribute has the choice.
        num_threads: None for as many cores as this process may use. The speech does not depend on it.

    Raises:
        UserError: if the precision is unknown or the number of threads is below 1.
    """

    def __init__(
        self,
        model: SequentialModel,
        *,
        temperature: Temperature = 1.0,
        precision: str = "float32",
        num_threads: int | None = None,
    ) -> None:
        check_settings(precision, num_threads, precisions=CHOICES)
        self.model, self.temperature = model, temperature
        self.precision, self.num_threads = settled_precision(precision, "teacher"), num_threads
        self._warned = False
        module = cast(nn.Module, model)
        self._cache = EngineCache(module, partial(check_teacher, module), self._pack)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    @torch.inference_mode()
    def sample(
        self,
        context: SpeechContext | None,
        lengths: Tensor,
        *,
        generator: torch.Generator | None = None,
        progress: bool = False,
    ) -> Tensor:
        """Waveforms on the head's grid, ``(batch, max(lengths))``, zero beyond each length.

        Args:
            context: batched conditioning that covers the longest utterance.
            lengths: ``(batch,)`` samples. Finished utterances are removed from the batch.
            generator: source of the uniforms; the same seed gives the same speech.
            progress: show a bar.

        Raises:
            UserError: if a weight is not finite, or the context is too short.
        """
        engine, lengths = self._engine(), lengths.cpu()
        context = context.to(self.device) if context is not None else None
        if engine is None:
            reference = ReferenceSampler(cast(SteppedModel, self.model), temperature=self.temperature)
            return reference.sample(context, lengths, generator=generator, progress=progress)
        order = lengths.argsort(descending=True)
        uniforms = torch.rand(2, int(lengths.max()), len(lengths), generator=generator)
        if context is not None:
            context = context.select(order)
        spread = temperature_of_samples(self.temperature, context, int(lengths.max()))
        spoken = engine.speak(context, lengths[order], uniforms, temperature=spread, progress=progress)
        result = torch.empty_like(spoken)
        result[order] = spoken
        return result.to(self.device)

    def stream(
        self,
        context: SpeechContext | None,
        num_samples: int,
        *,
        generator: torch.Generator | None = None,
        progress: bool = False,
    ) -> Iterator[Tensor]:
        """The same waveform in blocks ``(batch, samples)`` of 32 frames, the last one shorter, as computed.

        The blocks together equal the result of ``sample`` for equal lengths, bit for bit. If the engine
        cannot run the model, the whole waveform is one block.

        Args:
            context: as for ``sample``; None (unconditional model) for one utterance.
            num_samples: of every utterance.
            generator: source of the uniforms, which are drawn at once.
            progress: show a bar.

        Raises:
            UserError: as ``sample``, and if the length is below 1; always before the first block.
        """
        if num_samples < 1:
            raise UserError(f"num_samples: expected at least 1, got {num_samples}")
        lengths = torch.full((context.batch_size if context else 1,), num_samples)
        engine = self._engine()
        context = context.to(self.device) if context is not None else None
        if engine is None:
            return iter([self.sample(context, lengths, generator=generator, progress=progress)])
        uniforms = torch.rand(2, num_samples, len(lengths), generator=generator)
        spread = temperature_of_samples(self.temperature, context, num_samples)
        blocks = engine.stream(context, lengths, uniforms, temperature=spread, progress=progress)
        return (block.to(self.device) for block in blocks)

    def _pack(self) -> TeacherEngine:
        return TeacherEngine(self._cache.model, precision=self.precision, num_threads=self.num_threads)

    def _engine(self) -> TeacherEngine | None:
        try:
            return self._cache.get()
        except Unsupported as reason:
            if not self._warned:
                warnings.warn(
                    f"the compiled sampler cannot run this model: {reason}; it runs step by step in PyTorch, "
                    f"which is slow",
                    stacklevel=3,
                )
                self._warned = True
            return None

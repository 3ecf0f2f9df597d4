"""Training of the source-filter model: likelihood for the density, spectra for the voice."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from wavegen.data.speech.segments import Batch
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.source_filter import SourceFilter
from wavegen.objectives.likelihood import negative_log_likelihood
from wavegen.objectives.reduction import scored_part
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.training.module import TrainingModule

LOUDEST = 30.0
"""A voice beyond 30 times full scale is no sound, but filters that amplify each other's state."""


class Costs(NamedTuple):
    """Of a batch: nats per sample; losses of the residual and distances of the voice by name; the number of
    segments that are in no distance, because the voice amplified them without bound."""

    nats: Tensor
    others: dict[str, Tensor]
    num_unbounded: int


class SourceFilterTraining(TrainingModule):
    r"""Minimises the nats per sample of the density, losses of its filter, and distances of the voice.

    .. math:: L = -\frac1N \sum_t \log P(x_t \mid x_{<t}, c) + \sum_i \lambda_i D_i(g(\varepsilon, c), x)
              + \sum_j \lambda_j R_j(x - \hat x)

    Args:
        model: the source-filter model.
        residual_losses: by name, an entry ``{loss, weight}`` whose loss is called with the filter's
            prediction residual and the mask, both ``(batch, time)``.
        distances: by name, an entry ``{loss, weight}`` as the terms of a distillation, whose losses have
            ``distance(sample, recording)``, both ``(batch, time)``.
        voice_segments: number of segments of a batch for which the voice is computed.

    Raises:
        UserError: if a loss of the residual and a distance have the same name.
    """

    def __init__(
        self,
        *,
        model: SourceFilter,
        residual_losses: nn.ModuleDict,
        distances: nn.ModuleDict,
        voice_segments: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name in set(residual_losses) & set(distances):
            raise UserError(f"{name} names a loss of the residual and a distance, expected two names")
        self.model, self.voice_segments = model, voice_segments
        self.residual_losses, self.distances = residual_losses, distances

    def costs(self, batch: Batch) -> Costs:
        """Distances are left out if there is no segment for them."""
        nats = negative_log_likelihood(self.model.density, batch.waveform, batch.context, batch.mask)
        others = {}
        if len(self.residual_losses):
            with torch.autocast(batch.waveform.device.type, enabled=False):  # bfloat16 is too coarse for taps
                residual = self.model.filter.residual(batch.waveform, batch.context)
                others = {
                    name: entry.loss(residual, batch.mask) for name, entry in self.residual_losses.items()
                }
        if not len(self.distances):
            return Costs(nats, others, 0)
        sample, chosen = self._speak_segments(batch)
        if len(chosen):
            mask = batch.mask[chosen]
            pair = scored_part(sample, mask), scored_part(batch.waveform[chosen], mask)
            others |= {name: entry.loss.distance(*pair) for name, entry in self.distances.items()}
        return Costs(nats, others, min(self.voice_segments, len(batch.waveform)) - len(chosen))

    def _speak_segments(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The voice of the first segments, ``(segments, time)``, and their indices.

        Each frame's filter is stable, but filters that change from frame to frame need not be. Those of the
        first steps may differ so much that the waveform grows without bound. Such a segment is left out: only
        its likelihood is trained.
        """
        voice, chosen = self.model.voice, torch.arange(min(self.voice_segments, len(batch.waveform)))
        noise = voice.noise(batch.mask[chosen].shape)
        sample, _ = voice.rsample_with_conditionals(noise, batch.context.select(chosen))
        calm = sample.detach().abs().amax(-1) < LOUDEST  # false for NaN
        if calm.all():
            return sample, chosen
        # Computed again without them, because their gradient, 0 · ∞, would not be a number.
        chosen = chosen[calm.cpu()]
        if not len(chosen):
            return sample[:0], chosen
        again, _ = voice.rsample_with_conditionals(noise[calm], batch.context.select(chosen))
        return again, chosen

    def total(self, nats: Tensor, others: dict[str, Tensor]) -> Tensor:
        entries = dict(self.residual_losses.items()) | dict(self.distances.items())
        return sum((entries[name].weight * value for name, value in others.items()), nats)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        nats, others, _ = self.costs(batch)
        for name, value in {"negative log-likelihood": nats, **others}.items():
            self.check_finite(name, value)
        # Processes that train together need a gradient of every parameter in every step.
        nats = nats + 0.0 * torch.stack([p.sum() for p in self.model.mixture.parameters()]).sum()
        values = {"bits_per_sample": nats.detach() / math.log(2)}
        values |= {name: value.detach() for name, value in others.items()}
        self.log_all("train", values, len(batch.waveform))
        self.log("bits", values["bits_per_sample"], prog_bar=True, logger=False)
        return self.total(nats, others)

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, float | int]:
        """The cost is infinite if the voice of a segment has no bound: such weights are never the best."""
        nats, others, num_unbounded = self.costs(batch)
        bits, size = nats / math.log(2), int(batch.mask.sum())
        unknown = dict.fromkeys(self.distances, torch.full_like(nats, math.nan))
        self.log_all("dev", {"bits_per_sample": bits, **unknown, **others}, size)
        self.log("dev_bits", bits, prog_bar=True, logger=False, sync_dist=True)
        return {"cost": math.inf if num_unbounded else self.total(nats, others).item(), "size": size}

    @torch.inference_mode()
    def speak(self, context: SpeechContext, lengths: Tensor, generator: torch.Generator) -> Tensor:
        """Samples for the log."""
        return ParallelSampler(self.model.voice).sample(context, lengths, generator=generator)

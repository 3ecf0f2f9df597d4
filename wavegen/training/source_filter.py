"""Training of the source-filter model: likelihood for filter and pulses, spectra for the mixture."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from wavegen.data.speech.segments import Batch
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.source_filter import SourceFilter
from wavegen.objectives.likelihood import negative_log_likelihood
from wavegen.objectives.reduction import scored_part
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.training.module import TrainingModule


class SourceFilterTraining(TrainingModule):
    r"""Minimises the nats per sample of the density, plus a distance of spectral shapes of the voice.

    .. math:: L = -\frac1N \sum_t \log P(x_t \mid x_{<t}, c) + \lambda D(g(\varepsilon, c), x)

    Args:
        model: the source-filter model.
        shape: distance of spectra that no gain changes: ``distance(sample, recording)``, both
            ``(batch, time)``. The level comes from the likelihood.
        shape_weight: :math:`\lambda`, nats per sample and unit of distance.
        shape_segments: number of segments of a batch for which the voice is computed.
    """

    def __init__(
        self,
        *,
        model: SourceFilter,
        shape: nn.Module,
        shape_weight: float = 1.0,
        shape_segments: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.shape = model, shape
        self.shape_weight, self.shape_segments = shape_weight, shape_segments

    def costs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Nats per sample, and the distance of shapes."""
        nats = negative_log_likelihood(self.model.density, batch.waveform, batch.context, batch.mask)
        chosen = torch.arange(min(self.shape_segments, len(batch.waveform)))
        recording, mask = batch.waveform[chosen], batch.mask[chosen]
        voice = self.model.voice
        sample, _ = voice.rsample_with_conditionals(
            voice.noise(recording.shape), batch.context.select(chosen)
        )
        return nats, self.shape.distance(scored_part(sample, mask), scored_part(recording, mask))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        nats, shape = self.costs(batch)
        self.check_finite("negative log-likelihood", nats)
        self.check_finite("shape", shape)
        bits = nats.detach() / math.log(2)
        self.log_all("train", {"bits_per_sample": bits, "shape": shape.detach()}, len(batch.waveform))
        self.log("bits", bits, prog_bar=True, logger=False)
        self.log("shape", shape.detach(), prog_bar=True, logger=False)
        return nats + self.shape_weight * shape

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, float | int]:
        nats, shape = self.costs(batch)
        bits, size = nats / math.log(2), int(batch.mask.sum())
        self.log_all("dev", {"bits_per_sample": bits, "shape": shape}, size)
        self.log("dev_bits", bits, prog_bar=True, logger=False, sync_dist=True)
        return {"cost": float(nats + self.shape_weight * shape), "size": size}

    @torch.inference_mode()
    def speak(self, context: SpeechContext, lengths: Tensor, generator: torch.Generator) -> Tensor:
        """Samples for the log."""
        return ParallelSampler(self.model.voice).sample(context, lengths, generator=generator)

"""Maximum-likelihood training of the teacher on 16-bit samples."""

import math
from typing import Any

import torch
from torch import Tensor

from wavegen.data.speech.segments import Batch
from wavegen.linguistics.context import SpeechContext
from wavegen.metrics.frames import speech_samples
from wavegen.models.speech.protocols import SequentialModel
from wavegen.objectives.likelihood import negative_log_likelihood
from wavegen.objectives.reduction import masked_mean
from wavegen.synthesis.sequential import SequentialSampler
from wavegen.training.module import TrainingModule


class TeacherTraining(TrainingModule):
    """Logs ``bits_per_sample``; on dev segments also without pauses and with another segment's conditioning.

    If ``bits_per_sample_shuffled`` is not higher than ``bits_per_sample``, the teacher does not use its
    conditioning, and its speech will not follow the text.
    """

    def __init__(self, *, teacher: SequentialModel, sample_rate: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.teacher, self.sample_rate = teacher, sample_rate

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        nats = negative_log_likelihood(self.teacher, batch.waveform, batch.context, batch.mask)
        self.check_finite("negative log-likelihood", nats)
        bits = nats.detach() / math.log(2)
        self.log_all("train", {"bits_per_sample": bits}, len(batch.waveform))
        self.log("bits", bits, prog_bar=True, logger=False)
        return nats

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        log_prob = self.teacher.conditionals(batch.waveform, batch.context).log_prob(batch.waveform)
        shuffled = self.teacher.conditionals(batch.waveform, batch.context.shuffled())
        log_prob_shuffled = shuffled.log_prob(batch.waveform)
        speech = batch.mask & speech_samples(batch.waveform, self.sample_rate)
        bits = -1 / math.log(2)
        values = {
            "bits_per_sample": bits * masked_mean(log_prob, batch.mask),
            "bits_per_sample_shuffled": bits * masked_mean(log_prob_shuffled, batch.mask),
        }
        values["shuffled_gap_bits"] = values["bits_per_sample_shuffled"] - values["bits_per_sample"]
        self.log_all("dev", values, int(batch.mask.sum()))
        if speech.any():
            without_pauses = {"bits_per_sample_without_pauses": bits * masked_mean(log_prob, speech)}
            self.log_all("dev", without_pauses, int(speech.sum()))
        self.log("dev_bits", values["bits_per_sample"], prog_bar=True, logger=False, sync_dist=True)

    @torch.inference_mode()
    def speak(self, context: SpeechContext, lengths: Tensor, generator: torch.Generator) -> Tensor:
        """Synthesised waveforms for the log."""
        return SequentialSampler(self.teacher).sample(context, lengths, generator=generator, progress=True)

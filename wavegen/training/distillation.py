"""Distilling the student from a frozen teacher."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from wavegen.data.speech.segments import Batch
from wavegen.linguistics.context import SpeechContext
from wavegen.objectives.distillation import DivergenceEstimate
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.training.module import TrainingModule


class DistillationTraining(TrainingModule):
    """KL(student ‖ teacher) plus a power loss; every term is logged apart, with the student's statistics.

    Args:
        teacher: frozen here; gradients pass through it to the student's sample.
        student: what is trained.
        divergence: e.g. :class:`~wavegen.objectives.distillation.MonteCarloKL`.
        power: spectral loss against the recording.
        divergence_weight, power_weight: of the two in the loss.
        divergence_warmup_steps: over so many of the budget's steps, or over their share of its minutes, the
            divergence's weight rises linearly from a tenth of itself; 0 for none. In full from the start it
            drives the untrained student into near silence, where it is cheap, and the power loss then has to
            raise it from there.
    """

    def __init__(
        self,
        *,
        teacher: nn.Module,
        student: nn.Module,
        divergence: nn.Module,
        power: nn.Module,
        divergence_weight: float = 1.0,
        power_weight: float = 1.0,
        divergence_warmup_steps: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Not registered as a submodule: it is neither trained, averaged nor saved with the trainer's state.
        self.__dict__["teacher"] = teacher.requires_grad_(False)
        self.student, self.divergence, self.power = student, divergence, power
        self.divergence_weight, self.power_weight = divergence_weight, power_weight
        self.divergence_warmup_steps = divergence_warmup_steps

    def on_fit_start(self) -> None:
        self.teacher.to(self.device).eval()  # its input dropout belongs to its own training

    def terms(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and all that goes into the log."""
        noise = self.student.noise(batch.waveform.shape)
        waveform, conditionals = self.student.rsample_with_conditionals(noise, batch.context)
        estimate: DivergenceEstimate = self.divergence(
            self.teacher, waveform, conditionals, batch.context, batch.mask
        )
        # Both sides are silent where nothing is scored: the spectrum compares what the loss is about.
        power = self.power(waveform * batch.mask, batch.waveform * batch.mask)
        self.check_finite("divergence", estimate.loss)
        self.check_finite("power", power)
        loss = self.warm_divergence_weight() * estimate.loss + self.power_weight * power
        inside = waveform.detach()[batch.mask]
        log = {
            "loss": loss.detach(),
            "kl_nats": estimate.kl,
            "cross_entropy_nats": estimate.cross_entropy,
            "entropy_nats": estimate.entropy,
            "kl_standard_error": estimate.standard_error,
            "power": power.detach(),
            "student_mean": inside.mean(),
            "student_std": inside.std(),
            "student_peak": inside.abs().max(),
            "student_log_scale": conditionals.log_scale.detach()[batch.mask].mean(),
            "recording_std": batch.waveform[batch.mask].std(),
        }
        return loss, log

    def warm_divergence_weight(self) -> float:
        """The divergence's weight at the step under way; in full for validations."""
        warmup = self.divergence_warmup_steps
        warmth = (
            min(1.0, self.budget.as_steps(self.global_step) / warmup) if warmup and self.training else 1.0
        )
        return self.divergence_weight * (0.1 + 0.9 * warmth)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss, log = self.terms(batch)
        if log["kl_nats"] < -3 * log["kl_standard_error"]:
            warnings.warn(
                f"step {self.global_step}: the KL is {log['kl_nats'].item():.3f} nats, below zero beyond its "
                f"error ({log['kl_standard_error'].item():.3f}): a divergence cannot be; the estimator or "
                f"the teacher is broken",
                stacklevel=1,
            )
        self.log_all("train", log, len(batch.waveform))
        for name in ("kl_nats", "power"):
            self.log(name.split("_")[0], log[name], prog_bar=True, logger=False)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        _, log = self.terms(batch)
        self.log_all("dev", log, int(batch.mask.sum()))

    @torch.inference_mode()
    def speak(self, context: SpeechContext, lengths: Tensor, generator: torch.Generator) -> Tensor:
        """Samples for the log."""
        return ParallelSampler(self.student).sample(context, lengths, generator=generator)

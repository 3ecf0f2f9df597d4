"""Distilling the student from a frozen teacher."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from wavegen.data.speech.segments import Batch
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.protocols import ParallelModel, SequentialModel
from wavegen.objectives.distillation import DistillationStep
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.training.module import TrainingModule

STATISTICS = (
    "loss",
    "student_mean",
    "student_std",
    "student_peak",
    "student_log_scale",
    "recording_std",
)
"""What is logged beside the terms and their logs."""


class DistillationTraining(TrainingModule):
    """Minimises the weighted sum of its terms; logs each term separately, with statistics of the student.

    Args:
        teacher: frozen here; gradients pass through it to the student's sample.
        student: the model that is trained.
        terms: of the loss, see :func:`~wavegen.objectives.distillation.weighted_terms`. Their warm-up is
            counted in the budget's steps; if minutes limit the training, their share counts as steps.
    """

    def __init__(
        self, *, teacher: SequentialModel, student: ParallelModel, terms: nn.ModuleDict, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # Not registered as a submodule: it is not trained, averaged or saved with the trainer's state.
        self.__dict__["teacher"] = cast(nn.Module, teacher).requires_grad_(False)
        self.student, self.terms = student, terms

    def on_fit_start(self) -> None:
        self.teacher.to(self.device).eval()  # its input dropout belongs to its own training

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and all values to log."""
        step = DistillationStep(
            teacher=self.teacher,
            student=self.student,
            recording=batch.waveform,
            context=batch.context,
            mask=batch.mask,
        )
        loss = batch.waveform.new_zeros(())
        log: dict[str, Tensor] = {}
        for name, term in self.terms.items():
            result = term(step)
            self.check_finite(name, result.value)
            loss = loss + self.weight(name) * result.value
            log |= {name: result.value.detach()} | dict(result.log)
        inside = step.sample.detach()[batch.mask]
        statistics = (
            loss.detach(),
            inside.mean(),
            inside.std(),
            inside.abs().max(),
            step.conditionals.log_scale.detach()[batch.mask].mean(),
            batch.waveform[batch.mask].std(),
        )
        return loss, log | dict(zip(STATISTICS, statistics, strict=True))

    def weight(self, name: str) -> float:
        """The term's weight at the current step; the full weight in validations."""
        term = self.terms[name]
        return term.weight_after(self.budget.as_steps(self.global_step)) if self.training else term.weight

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss, log = self.loss(batch)
        self.log_all("train", log, len(batch.waveform))
        for name in self.terms:
            self.log(name, log[name], prog_bar=True, logger=False)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        _, log = self.loss(batch)
        self.log_all("dev", log, int(batch.mask.sum()))

    @torch.inference_mode()
    def speak(self, context: SpeechContext, lengths: Tensor, generator: torch.Generator) -> Tensor:
        """Samples for the log."""
        return ParallelSampler(self.student).sample(context, lengths, generator=generator)

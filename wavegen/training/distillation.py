"""Distilling the student from a frozen teacher."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from wavegen.data.speech.segments import Batch
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.protocols import ParallelModel, SequentialModel
from wavegen.objectives.distillation import DistillationStep, WeightedTerm
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.training.critics import Critics
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
        terms: of the loss, see :func:`~wavegen.objectives.distillation.distillation_terms`. Their warm-up is
            counted in the budget's steps; if minutes limit the training, their share counts as steps. A
            critic of a loss is trained by one step before the student's, on the same sample.
    """

    def __init__(
        self, *, teacher: SequentialModel, student: ParallelModel, terms: nn.ModuleDict, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        # Not registered as a submodule: it is not trained, averaged or saved with the trainer's state.
        self.__dict__["teacher"] = cast(nn.Module, teacher).requires_grad_(False)
        self.student, self.terms = student, terms
        self.critics = Critics(terms)

    def on_fit_start(self) -> None:
        self.teacher.to(self.device).eval()  # its input dropout belongs to its own training
        self.critics.begin()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["critics"] = self.critics.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.critics.load_state_dict(checkpoint.get("critics", {}))

    def step_of(self, batch: Batch) -> DistillationStep:
        return DistillationStep(
            teacher=self.teacher,
            student=self.student,
            recording=batch.waveform,
            context=batch.context,
            mask=batch.mask,
        )

    def loss(self, batch: Batch, step: DistillationStep | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of the terms that have started, and all values to log."""
        step = self.step_of(batch) if step is None else step
        loss = batch.waveform.new_zeros(())
        log: dict[str, Tensor] = {}
        for name in self.started():
            result = self.terms[name](step)
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

    def started(self) -> list[str]:
        """The names of the terms that count at the current step; all in validations."""
        progress = self.budget.as_steps(self.global_step), self.budget.max_steps
        return [
            name
            for name, term in self.terms.items()
            if not self.training or cast(WeightedTerm, term).has_started(*progress)
        ]

    def weight(self, name: str) -> float:
        """The term's weight at the current step; the full weight in validations."""
        term = cast(WeightedTerm, self.terms[name])
        if not self.training:
            return term.weight
        return term.weight_after(self.budget.as_steps(self.global_step), self.budget.max_steps)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        step = self.step_of(batch)
        critics = self.critics.update(step, self.started(), self.trainer.strategy.reduce)
        for name, value in critics.items():
            self.check_finite(name, value)
        loss, log = self.loss(batch, step)
        self.log_all("train", log | critics, len(batch.waveform))
        for name in self.started():
            self.log(name, log[name], prog_bar=True, logger=False)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        _, log = self.loss(batch)
        self.log_all("dev", log, int(batch.mask.sum()))

    @torch.inference_mode()
    def speak(self, context: SpeechContext, lengths: Tensor, generator: torch.Generator) -> Tensor:
        """Samples for the log."""
        return ParallelSampler(self.student).sample(context, lengths, generator=generator)

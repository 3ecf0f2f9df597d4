"""Tries a distillation once, before hours of training: teacher, student and the terms of the loss."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from wavegen.data.speech.corpus import Corpus
from wavegen.errors import UserError
from wavegen.models.speech.protocols import ParallelModel, SequentialModel
from wavegen.objectives.distillation import DistillationStep, LossWithCritic, Term
from wavegen.runs.voice import Voice
from wavegen.runs.weights import build_model
from wavegen.training.distillation import STATISTICS
from wavegen.training.noise_batch import noise_batch
from wavegen.training.speech_stages import loss_terms, student_config, teacher_config
from wavegen.training.trial import in_words, require_call, require_finite_scalar, trial


def check_distillable(config: DictConfig, corpus: Corpus, teacher_voice: Voice | None) -> None:
    """Run one pass of teacher, student and objective on a short batch. The random state is left as it was.

    Args:
        config: of the recipe, its ``voice`` filled in.
        corpus: of the recordings.
        teacher_voice: the voice whose teacher is distilled; None for the configured teacher.

    Raises:
        UserError: if they cannot be built or are incompatible, e.g. a mu-law teacher, which has no density;
            if a loss does not return a ``Term`` of finite scalars, or a name is logged twice.
    """
    with trial():
        torch.manual_seed(config.seed)
        if teacher_voice is None:
            described = teacher_config(config)
            teacher = build_model(described, source="teacher")
        else:
            described = teacher_voice.config["teacher"]
            teacher = cast(nn.Module, teacher_voice.teacher)
        student = build_model(student_config(config, described), source="student")
        step = trial_step(config, teacher, student)
        logged = dict.fromkeys(STATISTICS, "the training itself")
        for name, term in loss_terms(config, corpus).items():
            result = check_term(f"objective.{name}", term.loss, step)
            critic = check_critic(f"objective.{name}", term.loss, step)
            for entry in (name, *result.log, *critic):
                if entry in logged:
                    raise UserError(
                        f"objective.{name} logs '{entry}', and so does {logged[entry]}, expected other names"
                    )
                logged[entry] = f"objective.{name}"


def trial_step(config: DictConfig, teacher: nn.Module, student: nn.Module) -> DistillationStep:
    """A step on noise."""
    batch = noise_batch(config.voice, config.student_training.segment_s)
    return DistillationStep(
        teacher=cast(SequentialModel, teacher.eval()),
        student=cast(ParallelModel, student),
        recording=batch.waveform,
        context=batch.context,
        mask=batch.mask,
    )


def check_term(key: str, loss: nn.Module, step: DistillationStep) -> Term:
    """The loss's term of the step.

    Args:
        key: of the loss's entry in the configuration, for the message.

    Raises:
        UserError: unless it is a ``Term`` with a finite scalar value and with scalars to log; of the loss.
    """
    kind = type(loss).__name__
    require_call(f"{key}: {kind}", loss.forward, (step,), "forward(step) -> Term")
    term = loss(step)
    if not isinstance(term, Term):
        raise UserError(f"{key}: {kind} returns {in_words(term)}, expected a Term(value, log)")
    require_finite_scalar(f"{key}: the value of {kind}", term.value)
    if not isinstance(term.log, Mapping):
        raise UserError(f"{key}: the log of {kind} is {in_words(term.log)}, expected scalars by name")
    for name, value in term.log.items():
        if not is_scalar(value):
            raise UserError(f"{key}: {kind} logs {in_words(value)} as '{name}', expected a scalar")
    return term


def check_critic(key: str, loss: nn.Module, step: DistillationStep) -> list[str]:
    """What the training of the loss's critic logs; nothing if it has none.

    Raises:
        UserError: unless its loss is a finite scalar tensor; of the loss.
    """
    if not isinstance(loss, LossWithCritic):
        return []
    kind = type(loss).__name__
    require_call(f"{key}: {kind}", loss.critic_loss, (step,), "critic_loss(step) -> Tensor")
    require_finite_scalar(f"{key}: the critic's loss of {kind}", loss.critic_loss(step.without_gradient()))
    return [f"{key.rpartition('.')[2]}_critic"]


def is_scalar(value: Any) -> bool:
    return value.shape == () if isinstance(value, Tensor) else isinstance(value, float | int)

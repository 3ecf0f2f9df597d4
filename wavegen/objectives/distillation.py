"""Probability density distillation: the quantities that its loss terms share, and their weighted sum.

The student generates one sample per step, and every term of the loss uses it. A term is a module
``loss(step) -> Term``. To add one, write a file with such a module and add an entry to the configuration:

    objective:
      NAME: {loss: {_target_: wavegen.objectives.FILE.CLASS}, weight: 1.0, warmup_steps: 0}
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.optim import Optimizer

from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.protocols import ParallelModel, SequentialModel

INITIAL_SHARE = 0.1
"""The fraction of its weight with which a term with a warm-up starts."""


@dataclass(frozen=True)
class Term:
    """The result of a loss term: the ``value`` to be minimised, and scalars to ``log``, by name."""

    value: Tensor
    log: Mapping[str, Tensor] = field(default_factory=dict)


class DistillationStep:
    """One step of distillation. Quantities that several terms need are computed on first use and cached.

    Args:
        teacher: frozen sequential model; gradients pass through it to the student's sample.
        student: has ``noise(shape)`` and ``rsample_with_conditionals(noise, context)``.
        recording: ``(batch, time)``.
        context: conditioning of teacher and student.
        mask: ``(batch, time)`` bool, the scored samples.
        noise: ``(batch, time)``; by default drawn from the student's noise distribution.
    """

    def __init__(
        self,
        *,
        teacher: SequentialModel,
        student: ParallelModel,
        recording: Tensor,
        context: SpeechContext | None,
        mask: Tensor,
        noise: Tensor | None = None,
    ) -> None:
        self.teacher, self.student = teacher, student
        self.recording, self.context, self.mask = recording, context, mask
        self._noise = noise

    @property
    def sample(self) -> Tensor:
        """The student's waveform ``(batch, time)``, unrounded and unclipped."""
        return self._sample_and_conditionals[0]

    @property
    def conditionals(self) -> Normal | Logistic:
        """The student's distribution of each sample given past noise, batch shape ``(batch, time)``."""
        return self._sample_and_conditionals[1]

    @cached_property
    def teacher_density(self) -> Distribution:
        """The teacher's density of each sample given the student's past samples and the context."""
        return self.teacher_density_given(self.context)

    @cached_property
    def shuffled_context(self) -> SpeechContext:
        """The context with utterances exchanged, for terms that contrast two contexts."""
        if self.context is None:
            raise UserError(
                "a term of the loss needs the context of another utterance, but there is no context"
            )
        return self.context.shuffled()

    def teacher_density_given(self, context: SpeechContext | None) -> Distribution:
        """As ``teacher_density``, with another context.

        Raises:
            UserError: if the teacher's head has only masses (mu-law), which give no gradient with respect to
                a waveform.
        """
        conditionals = self.teacher.conditionals(self.sample, context)
        if not hasattr(conditionals, "continuous"):
            raise UserError(
                f"distillation needs a teacher with a density (logistic mixture or Gaussian), got the head "
                f"{type(conditionals).__name__}"
            )
        return conditionals.continuous

    def without_gradient(self) -> "DistillationStep":
        """The same step, whose sample and conditionals are constants."""
        constant = DistillationStep(
            teacher=self.teacher,
            student=self.student,
            recording=self.recording,
            context=self.context,
            mask=self.mask,
        )
        law = type(self.conditionals)(self.conditionals.loc.detach(), self.conditionals.log_scale.detach())
        constant.__dict__["_sample_and_conditionals"] = self.sample.detach(), law
        return constant

    @cached_property
    def _sample_and_conditionals(self) -> tuple[Tensor, Normal | Logistic]:
        noise = self.student.noise(self.recording.shape) if self._noise is None else self._noise
        return self.student.rsample_with_conditionals(noise, self.context)


@runtime_checkable
class LossWithCritic(Protocol):
    """A loss that judges the sample by a net which is trained beside the student.

    At every step on which the term counts, the training first makes one step of ``optimizer`` on
    ``critic_loss``, and then computes ``loss(step)``, through which the critic gets no gradient
    (:class:`~wavegen.training.critics.Critics`).

    Attributes:
        critic: the net; all that ``critic_loss`` trains.
        optimizer: builds its optimiser from parameters.
    """

    critic: nn.Module
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]

    def critic_loss(self, step: DistillationStep) -> Tensor:
        """A scalar that the critic minimises; the step's sample is a constant."""
        ...


class WeightedTerm(nn.Module):
    """A loss term with its weight in the sum.

    Args:
        loss: ``loss(step) -> Term``. If it has ``fit_to_data(recordings)``, that is called before training.
        weight: factor on its value.
        warmup_steps: number of training steps over which the weight rises linearly from a tenth of its value;
            0 for none. With its full weight from the start, a divergence drives the untrained student to
            near silence, where the divergence is small, and the power loss has to raise the level again.
        start_share: share of the training before which the term is not computed; its warm-up comes after it.

    Raises:
        UserError: if ``start_share`` is not within 0 to 1.
    """

    def __init__(
        self, *, loss: nn.Module, weight: float = 1.0, warmup_steps: int = 0, start_share: float = 0.0
    ) -> None:
        super().__init__()
        if not 0 <= start_share <= 1:
            raise UserError(f"start_share must be a share of the training, 0 to 1, got {start_share}")
        self.loss, self.weight, self.warmup_steps = loss, weight, warmup_steps
        self.start_share = start_share

    def forward(self, step: DistillationStep) -> Term:
        return self.loss(step)

    def weight_after(self, steps: float, max_steps: int) -> float:
        """The weight after this number of a training's steps; 0 before the term starts."""
        steps -= self.start_share * max_steps
        if steps < 0:
            return 0.0
        if steps >= self.warmup_steps:
            return self.weight
        return self.weight * (INITIAL_SHARE + (1 - INITIAL_SHARE) * (steps / self.warmup_steps))

    def has_started(self, steps: float, max_steps: int) -> bool:
        """Whether the term counts after this number of a training's steps."""
        return steps >= self.start_share * max_steps


def distillation_terms(entries: Mapping[str, Any], recordings: Sequence[np.ndarray]) -> nn.ModuleDict:
    """The terms of ``objective`` by name, see :func:`weighted_terms`.

    Raises:
        UserError: as there, and if no term counts from the first step.
    """
    terms = weighted_terms("objective", entries, recordings, keys=("loss", "weight", *_IN_TIME))
    if not terms:
        raise UserError("objective has no terms, expected at least one {loss, weight, warmup_steps}")
    if all(term.start_share > 0 for term in terms.values()):
        raise UserError(
            "objective has no term that counts from the first step, expected one without start_share"
        )
    return terms


_IN_TIME = ("warmup_steps", "start_share")


def weighted_terms(
    key: str,
    entries: Mapping[str, Any],
    recordings: Sequence[np.ndarray],
    *,
    keys: Sequence[str] = ("loss", "weight"),
) -> nn.ModuleDict:
    """The terms of a loss by name, in alphabetical order, so that sums do not depend on the order of files.

    Args:
        key: of the entries in the configuration, for messages.
        entries: by name the arguments of a :class:`WeightedTerm`, with an instantiated loss; null removes a
            term.
        recordings: of the training split, ``(samples,)`` each, for losses that depend on signal levels.
        keys: that an entry may have.

    Raises:
        UserError: if an entry has no loss or other keys, or if a loss is no module.
    """
    terms = nn.ModuleDict()
    for name, entry in sorted(entries.items()):
        if entry is None:
            continue
        if not (isinstance(entry, Mapping) and "loss" in entry and entry.keys() <= set(keys)):
            got = ", ".join(entry) if isinstance(entry, Mapping) else repr(entry)
            expected = f"{', '.join(keys[:-1])} and {keys[-1]}"
            raise UserError(f"{key}.{name} has {got}, expected {expected}")
        if not isinstance(entry["loss"], nn.Module):
            got = (
                "no _target_"
                if isinstance(entry["loss"], Mapping)
                else f"the type {type(entry['loss']).__name__}"
            )
            raise UserError(f"{key}.{name}.loss has {got}, expected the _target_ of a module")
        try:
            terms[name] = WeightedTerm(**entry)
        except UserError as error:
            raise UserError(f"{key}.{name}.{error}") from error
        if hasattr(terms[name].loss, "fit_to_data"):
            terms[name].loss.fit_to_data(recordings)
    return terms

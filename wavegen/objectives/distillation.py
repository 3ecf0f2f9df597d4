"""Probability density distillation: the quantities that its loss terms share, and their weighted sum.

The student generates one sample per step, and every term of the loss uses it. A term is a module
``loss(step) -> Term``. To add one, write a file with such a module and add an entry to the configuration:

    objective:
      NAME: {loss: {_target_: wavegen.objectives.FILE.CLASS}, weight: 1.0, warmup_steps: 0}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.distributions import Distribution

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

    @cached_property
    def _sample_and_conditionals(self) -> tuple[Tensor, Normal | Logistic]:
        noise = self.student.noise(self.recording.shape) if self._noise is None else self._noise
        return self.student.rsample_with_conditionals(noise, self.context)


class WeightedTerm(nn.Module):
    """A loss term with its weight in the sum.

    Args:
        loss: ``loss(step) -> Term``. If it has ``fit_to_data(recordings)``, that is called before training.
        weight: factor on its value.
        warmup_steps: number of training steps over which the weight rises linearly from a tenth of its value;
            0 for none. With its full weight from the start, a divergence drives the untrained student to
            near silence, where the divergence is small, and the power loss has to raise the level again.
    """

    def __init__(self, *, loss: nn.Module, weight: float = 1.0, warmup_steps: int = 0) -> None:
        super().__init__()
        self.loss, self.weight, self.warmup_steps = loss, weight, warmup_steps

    def forward(self, step: DistillationStep) -> Term:
        return self.loss(step)

    def weight_after(self, steps: float) -> float:
        """The weight after this number of steps."""
        if steps >= self.warmup_steps:
            return self.weight
        return self.weight * (INITIAL_SHARE + (1 - INITIAL_SHARE) * (steps / self.warmup_steps))


def weighted_terms(entries: Mapping[str, Any], recordings: Sequence[np.ndarray]) -> nn.ModuleDict:
    """The terms of a loss by name, in alphabetical order, so that sums do not depend on the order of files.

    Args:
        entries: ``{name: {loss, weight, warmup_steps}}`` with instantiated losses; null removes a term.
        recordings: of the training split, ``(samples,)`` each, for losses that depend on signal levels.

    Raises:
        UserError: if an entry has no loss or other keys, if a loss is no module, or if there are no terms.
    """
    terms = nn.ModuleDict()
    for name, entry in sorted(entries.items()):
        if entry is None:
            continue
        if not (isinstance(entry, Mapping) and "loss" in entry and entry.keys() <= _ENTRY):
            got = ", ".join(entry) if isinstance(entry, Mapping) else repr(entry)
            raise UserError(f"objective.{name} has {got}, expected loss, weight and warmup_steps")
        if not isinstance(entry["loss"], nn.Module):
            got = (
                "no _target_"
                if isinstance(entry["loss"], Mapping)
                else f"the type {type(entry['loss']).__name__}"
            )
            raise UserError(f"objective.{name}.loss has {got}, expected the _target_ of a module")
        terms[name] = WeightedTerm(**entry)
        if hasattr(terms[name].loss, "fit_to_data"):
            terms[name].loss.fit_to_data(recordings)
    if not terms:
        raise UserError("objective has no terms, expected at least one {loss, weight, warmup_steps}")
    return terms


_ENTRY = {"loss", "weight", "warmup_steps"}

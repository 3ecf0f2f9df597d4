"""Probability density distillation: what its terms share, and how they are added up.

The student speaks once; every term of the loss looks at the same sample. A term is a module
``loss(step) -> Term``. Adding one takes a file with such a module and an entry of the configuration:

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
"""Of its weight that a term with a warm-up starts with."""


@dataclass(frozen=True)
class Term:
    """What a term came to: the ``value`` to be minimised, and scalars for the ``log`` by name."""

    value: Tensor
    log: Mapping[str, Tensor] = field(default_factory=dict)


class DistillationStep:
    """One step of a distillation. What several terms need is computed when first asked for, and once.

    Args:
        teacher: frozen sequential model; gradients pass through it to the student's sample.
        student: has ``noise(shape)`` and ``rsample_with_conditionals(noise, context)``.
        recording: ``(batch, time)``.
        context: conditioning of teacher and student.
        mask: ``(batch, time)`` bool, the samples that are scored.
        noise: ``(batch, time)``; drawn from the student's family by default.
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
        return self._spoken[0]

    @property
    def conditionals(self) -> Normal | Logistic:
        """The student's law of each sample given the noise before it, batch shape ``(batch, time)``."""
        return self._spoken[1]

    @cached_property
    def teacher_density(self) -> Distribution:
        """The teacher's density of each sample given the student's sample before it and the context."""
        return self.teacher_density_given(self.context)

    @cached_property
    def shuffled_context(self) -> SpeechContext:
        """Each utterance's context exchanged for another's, for terms that contrast the two."""
        if self.context is None:
            raise UserError("a term of the loss needs another utterance's context, but the models have none")
        return self.context.shuffled()

    def teacher_density_given(self, context: SpeechContext | None) -> Distribution:
        """As ``teacher_density``, under another context.

        Raises:
            UserError: where the teacher's head has masses only (mu-law), which give no gradient to a
                waveform.
        """
        conditionals = self.teacher.conditionals(self.sample, context)
        if not hasattr(conditionals, "continuous"):
            raise UserError(
                f"distillation needs a teacher with a density (logistic mixture or Gaussian), got the head "
                f"{type(conditionals).__name__}"
            )
        return conditionals.continuous

    @cached_property
    def _spoken(self) -> tuple[Tensor, Normal | Logistic]:
        noise = self.student.noise(self.recording.shape) if self._noise is None else self._noise
        return self.student.rsample_with_conditionals(noise, self.context)


class WeightedTerm(nn.Module):
    """A term with its weight in the sum.

    Args:
        loss: ``loss(step) -> Term``. If it has ``fit_to_data(recordings)``, that is called before training.
        weight: of its value.
        warmup_steps: over so many of a training's steps the weight rises linearly from a tenth of itself; 0
            for none. A divergence in full from the start drives the untrained student into near silence,
            where it is cheap, and the power loss then has to raise it from there.
    """

    def __init__(self, *, loss: nn.Module, weight: float = 1.0, warmup_steps: int = 0) -> None:
        super().__init__()
        self.loss, self.weight, self.warmup_steps = loss, weight, warmup_steps

    def forward(self, step: DistillationStep) -> Term:
        return self.loss(step)

    def weight_after(self, steps: float) -> float:
        """The weight once so many steps are done."""
        if steps >= self.warmup_steps:
            return self.weight
        return self.weight * (INITIAL_SHARE + (1 - INITIAL_SHARE) * (steps / self.warmup_steps))


def weighted_terms(entries: Mapping[str, Any], recordings: Sequence[np.ndarray]) -> nn.ModuleDict:
    """The terms of a loss by name, in the alphabet's order: sums do not depend on how files were merged.

    Args:
        entries: ``{name: {loss, weight, warmup_steps}}``, the losses made already; null leaves a term out.
        recordings: of the training part, ``(samples,)`` each, for losses that have to know levels.

    Raises:
        UserError: where an entry has no loss, or anything besides these three; where there is no term.
    """
    terms = nn.ModuleDict()
    for name, entry in sorted(entries.items()):
        if entry is None:
            continue
        if not (isinstance(entry, Mapping) and "loss" in entry and entry.keys() <= _ENTRY):
            got = ", ".join(entry) if isinstance(entry, Mapping) else repr(entry)
            raise UserError(f"objective.{name} has {got}, expected loss, weight and warmup_steps")
        terms[name] = WeightedTerm(**entry)
        if hasattr(terms[name].loss, "fit_to_data"):
            terms[name].loss.fit_to_data(recordings)
    if not terms:
        raise UserError("objective has no term, expected at least one {loss, weight, warmup_steps}")
    return terms


_ENTRY = {"loss", "weight", "warmup_steps"}

"""The contrastive term of Parallel WaveNet: away from what the teacher says of another utterance."""

import torch
from torch import Tensor, nn

from wavegen.objectives.distillation import DistillationStep, Term
from wavegen.objectives.reduction import masked_mean


class ContrastiveKL(nn.Module):
    r"""Minus KL(student ‖ teacher given another utterance's context), bounded below; nats per scored sample.

    The paper's loss (arXiv 1711.10433, section 4.1) is, with contexts :math:`c_1` and :math:`c_2 \ne c_1`,

    .. math:: KL(P_S(c_1) \| P_T(c_1)) - \gamma\, KL(P_S(c_1) \| P_T(c_2)).

    The first part is the divergence. This term is the second, and its weight is :math:`\gamma`. It keeps the
    student from saying what every context makes likely. For each utterance :math:`u` of the batch,

    .. math:: L_u = -\min\big(KL_u(c_2),\ \overline{KL_u(c_1)} + m\big),

    where the bar stops the gradient.

    **The bound.** The paper's second part is unbounded: a sample far out in the tails of :math:`P_T(c_2)` has
    any divergence, and a student may leave the speech of :math:`c_1` for it. With the bound, the sum of both
    parts is at least :math:`(1 - \gamma) KL(c_1) - \gamma m`. Its gradient is the paper's until the other
    context is m nats per sample less likely than the own one; then the contrast of this utterance is settled
    and its gradient is zero. The bound is on means over an utterance and not on samples, because the teacher
    of the other context is often right about single samples, in pauses say.

    The second pass of the teacher is the cost. Both divergences use the same draws, so their difference has
    no entropy and little variance. In a batch of one, :math:`c_2` is the context half an utterance later.

    The log contains ``other_context_kl_nats``, ``contrast_nats`` (its difference from the own context's) and
    ``settled_share`` (of the utterances).

    Args:
        divergence: :class:`~wavegen.objectives.monte_carlo_kl.MonteCarloKL` or
            :class:`~wavegen.objectives.gaussian_kl.RegularisedGaussianKL`, whose ``per_sample`` is used.
        margin_nats: m, per sample.
    """

    def __init__(self, *, divergence: nn.Module, margin_nats: float = 1.0) -> None:
        super().__init__()
        self.divergence, self.margin_nats = divergence, margin_nats

    def forward(self, step: DistillationStep) -> Term:
        """Raises UserError if there is no context, or if the divergence does not fit the models."""
        other = step.teacher_density_given(step.shuffled_context)
        own_kl, other_kl = (
            utterance_means(per_sample, step.mask)
            for per_sample in self.divergence.per_sample(step.conditionals, step.teacher_density, other)
        )
        scored = step.mask.sum(-1).to(other_kl)
        share = scored / scored.sum().clamp(min=1)
        bounded = torch.minimum(other_kl, own_kl.detach() + self.margin_nats)
        log = {
            "other_context_kl_nats": (share * other_kl).sum().detach(),
            "contrast_nats": (share * (other_kl - own_kl)).sum().detach(),
            "settled_share": (other_kl > bounded).float().mean(),
        }
        return Term(-(share * bounded).sum(), log)


def utterance_means(values: Tensor, mask: Tensor) -> Tensor:
    """Means over the scored samples of each row: ``(batch, time)`` → ``(batch,)``."""
    return torch.stack([masked_mean(row, scored) for row, scored in zip(values, mask, strict=True)])

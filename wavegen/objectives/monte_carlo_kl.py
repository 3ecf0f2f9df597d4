r"""KL(student ‖ teacher) per time step by draws (Parallel WaveNet, arXiv 1711.10433, §3).

.. math:: D_{KL}(P_S \,\|\, P_T) = H(P_S, P_T) - H(P_S)

The student's own sample is the teacher's past, unrounded and unclipped. At each step the student's law of
:math:`x_t` given the noise before it is known in closed form, so the cross-entropy at that step is a
one-dimensional integral, estimated by several draws from one teacher pass. The teacher is read as a *density*
(its mass would add log 32768 = 10.4 nats a sample). Gradients flow through the draws and, through the frozen
teacher, into the sample that it was conditioned on.
"""

import warnings

from torch import nn

from wavegen.objectives.distillation import DistillationStep, Term
from wavegen.objectives.reduction import masked_mean


class MonteCarloKL(nn.Module):
    """Cross-entropy by draws per time step, entropy in closed form; nats per scored sample.

    It takes any student family with ``icdf`` and ``entropy``, and any teacher with a density.

    The log holds ``kl_nats`` = ``cross_entropy_nats`` − ``entropy_nats``, and ``kl_standard_error`` from the
    spread of the draws at each step.

    Args:
        draws: where in the student's law to evaluate, e.g.
            :class:`~wavegen.objectives.draws.StratifiedDraws`.
    """

    def __init__(self, *, draws: nn.Module) -> None:
        super().__init__()
        self.draws = draws

    def forward(self, step: DistillationStep) -> Term:
        density, conditionals = step.teacher_density, step.conditionals
        draws = conditionals.icdf(self.draws(step.sample))
        log_density = density.log_prob(draws)  # (draws, batch, time)
        cross_entropy = masked_mean(-log_density.mean(0), step.mask)
        entropy = masked_mean(conditionals.entropy(), step.mask)
        kl = cross_entropy - entropy
        variance = self.draws.variance_of_mean(log_density.detach())
        standard_error = (masked_mean(variance, step.mask) / step.mask.sum().clamp(min=1)).sqrt()
        if kl < -3 * standard_error:
            warnings.warn(
                f"the KL is {kl.item():.3f} nats, below zero beyond its error ({standard_error.item():.3f}), "
                f"which no divergence can be: the estimator or the teacher is broken",
                stacklevel=1,
            )
        log = {
            "kl_nats": kl.detach(),
            "cross_entropy_nats": cross_entropy.detach(),
            "entropy_nats": entropy.detach(),
            "kl_standard_error": standard_error,
        }
        return Term(kl, log)

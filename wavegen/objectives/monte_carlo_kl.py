r"""KL(student ‖ teacher) per time step by Monte Carlo (Parallel WaveNet, arXiv 1711.10433, §3).

.. math:: D_{KL}(P_S \,\|\, P_T) = H(P_S, P_T) - H(P_S)

The teacher's past is the student's own sample, unrounded and unclipped. At each step the student's
distribution of :math:`x_t` given past noise is known in closed form, so the cross-entropy at that step is a
one-dimensional integral, estimated by several draws from one teacher pass. The teacher is evaluated as a
*density* (its mass would add log 32768 = 10.4 nats per sample). Gradients pass through the draws and, through
the frozen teacher, to the sample on which it is conditioned.
"""

import warnings

from torch import Tensor, nn
from torch.distributions import Distribution

from wavegen.distributions.logistic import Logistic
from wavegen.distributions.normal import Normal
from wavegen.objectives.distillation import DistillationStep, Term
from wavegen.objectives.reduction import masked_mean


class MonteCarloKL(nn.Module):
    """Cross-entropy by draws at each time step, entropy in closed form; nats per scored sample.

    It works with any student family with ``icdf`` and ``entropy``, and any teacher with a density.

    The log contains ``kl_nats`` = ``cross_entropy_nats`` − ``entropy_nats``, and ``kl_standard_error`` from
    the variance of the draws at each step.

    Args:
        draws: the quantiles at which the student's distribution is evaluated, e.g.
            :class:`~wavegen.objectives.draws.StratifiedDraws`.
    """

    def __init__(self, *, draws: nn.Module) -> None:
        super().__init__()
        self.draws = draws

    def per_sample(self, conditionals: Normal | Logistic, *densities: Distribution) -> list[Tensor]:
        """KL of the student's distributions to each of the densities, ``(batch, time)``, at the same draws.

        The entropy and most of the draws' variance cancel in differences.
        """
        entropy = conditionals.entropy()
        return [
            -log_density.mean(0) - entropy for log_density in self.log_densities(conditionals, *densities)
        ]

    def log_densities(self, conditionals: Normal | Logistic, *densities: Distribution) -> list[Tensor]:
        """Log-densities at draws of the student's distributions, ``(draws, batch, time)`` each."""
        draws = conditionals.icdf(self.draws(conditionals.loc))
        return [density.log_prob(draws) for density in densities]

    def forward(self, step: DistillationStep) -> Term:
        density, conditionals = step.teacher_density, step.conditionals
        (log_density,) = self.log_densities(conditionals, density)
        cross_entropy = masked_mean(-log_density.mean(0), step.mask)
        entropy = masked_mean(conditionals.entropy(), step.mask)
        kl = cross_entropy - entropy
        variance = self.draws.variance_of_mean(log_density.detach())
        standard_error = (masked_mean(variance, step.mask) / step.mask.sum().clamp(min=1)).sqrt()
        if kl < -3 * standard_error:
            warnings.warn(
                f"the KL is {kl.item():.3f} nats, negative beyond its standard error "
                f"({standard_error.item():.3f}); a divergence cannot be negative, so the estimator or the "
                "teacher is wrong",
                stacklevel=1,
            )
        log = {
            "kl_nats": kl.detach(),
            "cross_entropy_nats": cross_entropy.detach(),
            "entropy_nats": entropy.detach(),
            "kl_standard_error": standard_error,
        }
        return Term(kl, log)

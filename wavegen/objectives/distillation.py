r"""Probability density distillation: KL(student ‖ teacher), per time step (Parallel WaveNet, 1711.10433, §3).

.. math:: D_{KL}(P_S \,\|\, P_T) = H(P_S, P_T) - H(P_S)

The student speaks once; its own sample is the teacher's past, unrounded and unclipped. At each step the
student's law of :math:`x_t` given the noise before it is known in closed form, so the cross-entropy at that
step is a one-dimensional integral, estimated by several draws from one teacher pass. The teacher is read as a
*density* (its mass would add log 32768 = 10.4 nats a sample). Gradients flow through the draws and, through
the frozen teacher, into the sample it was conditioned on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from wavegen.distributions.normal import Normal
from wavegen.distributions.precision import open_unit_interval
from wavegen.errors import UserError
from wavegen.objectives.reduction import masked_mean


@dataclass(frozen=True)
class DivergenceEstimate:
    """Nats per scored sample: ``kl`` = ``cross_entropy`` − ``entropy``, and ``loss``, which is minimised.

    ``standard_error`` is that of ``kl`` from the spread of the draws at each step; zero where the divergence
    at a step is known in closed form.
    """

    loss: Tensor
    kl: Tensor
    cross_entropy: Tensor
    entropy: Tensor
    standard_error: Tensor


class IndependentDraws(nn.Module):
    """Uniforms for independent draws, as in the paper: ``(num_draws, *shape)`` in (0, 1)."""

    def __init__(self, *, num_draws: int) -> None:
        super().__init__()
        self.num_draws = num_draws

    def forward(self, like: Tensor) -> Tensor:
        return open_unit_interval(
            torch.rand(self.num_draws, *like.shape, device=like.device, dtype=like.dtype)
        )

    def variance_of_mean(self, values: Tensor) -> Tensor:
        """Unbiased variance of the mean over draws, ``(num_draws, …) -> (…)``; zero for one draw."""
        return values.var(0) / len(values) if len(values) > 1 else torch.zeros_like(values[0])


class StratifiedDraws(nn.Module):
    r"""Uniforms for one draw from each of ``num_draws`` quantile strata of the student's own law.

    :math:`u_i = (i + v_i) / N` with :math:`v_i` uniform is unbiased like independent draws, and its variance
    falls with :math:`N^{-2}` instead of :math:`N^{-1}` at the same number of evaluations. (Inner strata fall
    with :math:`N^{-3}`; at both ends the log-density grows like the logarithm of the quantile, and the two
    end strata dominate.)
    """

    def __init__(self, *, num_draws: int) -> None:
        super().__init__()
        self.num_draws = num_draws

    def forward(self, like: Tensor) -> Tensor:
        jitter = torch.rand(self.num_draws, *like.shape, device=like.device, dtype=like.dtype)
        stratum = torch.arange(self.num_draws, device=like.device, dtype=like.dtype)
        return open_unit_interval((stratum.view(-1, *[1] * like.dim()) + jitter) / self.num_draws)

    def variance_of_mean(self, values: Tensor) -> Tensor:
        """Variance of the mean over strata from differences of neighbours, ``(num_draws, …) -> (…)``.

        With one draw a stratum the variance within cannot be seen; half the squared difference of neighbours
        holds it plus the square of the step between the strata's means, so this errs upwards, yet it falls
        with the strata's width. Zero for one draw.
        """
        if len(values) == 1:
            return torch.zeros_like(values[0])
        squares = 0.5 * values.diff(dim=0).square()
        return squares.mean(0) / len(values)


class MonteCarloKL(nn.Module):
    """Cross-entropy by draws per time step, entropy in closed form.

    For any student family with ``icdf`` and ``entropy``.

    Args:
        draws: where in the student's law to evaluate, e.g. :class:`StratifiedDraws`.
    """

    def __init__(self, *, draws: nn.Module) -> None:
        super().__init__()
        self.draws = draws

    def forward(
        self,
        teacher: nn.Module,
        waveform: Tensor,
        conditionals: Distribution,
        context: Mapping[str, Tensor] | None,
        mask: Tensor,
    ) -> DivergenceEstimate:
        """
        Args:
            teacher: frozen sequential model whose conditionals have a ``.continuous`` density.
            waveform: the student's sample ``(batch, time)``.
            conditionals: the law of each sample given the noise before it, batch shape ``(batch, time)``.
            context: the conditioning, the same that the student had.
            mask: ``(batch, time)`` bool, the samples that are scored.
        """
        density = teacher_density(teacher, waveform, context)
        draws = conditionals.icdf(self.draws(waveform))
        log_density = density.log_prob(draws)  # (draws, batch, time)
        cross_entropy = masked_mean(-log_density.mean(0), mask)
        entropy = masked_mean(conditionals.entropy(), mask)
        kl = cross_entropy - entropy
        variance = self.draws.variance_of_mean(log_density.detach())
        standard_error = (masked_mean(variance, mask) / mask.sum().clamp(min=1)).sqrt()
        return DivergenceEstimate(kl, kl.detach(), cross_entropy.detach(), entropy.detach(), standard_error)


class RegularisedGaussianKL(nn.Module):
    r"""ClariNet's closed form between Gaussians with its log-scale regulariser (arXiv 1807.07281, eq. 7–8).

    .. math::
        KL(q \| p) &= \log\frac{\sigma_p}{\sigma_q}
                      + \frac{\sigma_q^2 - \sigma_p^2 + (\mu_p - \mu_q)^2}{2\sigma_p^2} \\
        L &= KL + \lambda\,|\log\sigma_p - \log\sigma_q|^2

    The KL is taken on scales floored at ``min_log_scale`` (a pause has scales near zero, where it explodes),
    the regulariser on the scales as they are.

    Args:
        regularisation: :math:`\lambda`, 4 in the paper.
        min_log_scale: floor of both log-scales inside the KL, −6 in open code.
    """

    def __init__(self, *, regularisation: float = 4.0, min_log_scale: float = -6.0) -> None:
        super().__init__()
        self.regularisation, self.min_log_scale = regularisation, min_log_scale

    def forward(
        self,
        teacher: nn.Module,
        waveform: Tensor,
        conditionals: Distribution,
        context: Mapping[str, Tensor] | None,
        mask: Tensor,
    ) -> DivergenceEstimate:
        """As :meth:`MonteCarloKL.forward`; both laws must be Gaussian with ``loc`` and ``log_scale``."""
        density = teacher_density(teacher, waveform, context)
        if not (isinstance(density, Normal) and isinstance(conditionals, Normal)):
            raise UserError(
                f"the closed-form KL needs a Gaussian teacher and student, got {type(density).__name__} and "
                f"{type(conditionals).__name__}"
            )
        gap = density.log_scale - conditionals.log_scale
        student_log_scale = conditionals.log_scale.clamp(min=self.min_log_scale)
        teacher_log_scale = density.log_scale.clamp(min=self.min_log_scale)
        precision = (-2 * teacher_log_scale).exp()
        moment = (2 * student_log_scale).exp() + (density.loc - conditionals.loc).square()
        per_sample = teacher_log_scale - student_log_scale + 0.5 * (moment * precision - 1)
        kl = masked_mean(per_sample, mask)
        entropy = masked_mean(conditionals.entropy(), mask).detach()
        return DivergenceEstimate(
            loss=kl + self.regularisation * masked_mean(gap.square(), mask),
            kl=kl.detach(),
            cross_entropy=kl.detach() + entropy,
            entropy=entropy,
            standard_error=torch.zeros_like(entropy),
        )


def teacher_density(
    teacher: nn.Module, waveform: Tensor, context: Mapping[str, Tensor] | None
) -> Distribution:
    """The teacher's continuous conditionals at an unrounded waveform.

    Raises:
        UserError: if the teacher's head has masses only (mu-law), which give no gradient to a waveform.
    """
    conditionals = teacher.conditionals(waveform, context)
    if not hasattr(conditionals, "continuous"):
        raise UserError(
            f"distillation needs a teacher with a density (logistic mixture or Gaussian), got the head "
            f"{type(conditionals).__name__}"
        )
    return conditionals.continuous

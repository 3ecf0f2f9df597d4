"""KL(student ‖ teacher) of Gaussians, in closed form (ClariNet, arXiv 1807.07281)."""

from torch import Tensor, nn
from torch.distributions import Distribution

from wavegen.distributions.normal import Normal
from wavegen.errors import UserError
from wavegen.objectives.distillation import DistillationStep, Term
from wavegen.objectives.reduction import masked_mean


class RegularisedGaussianKL(nn.Module):
    r"""The closed form with its log-scale regulariser (eq. 7–8); nats per scored sample.

    .. math::
        KL(q \| p) &= \log\frac{\sigma_p}{\sigma_q}
                      + \frac{\sigma_q^2 - \sigma_p^2 + (\mu_p - \mu_q)^2}{2\sigma_p^2} \\
        L &= KL + \lambda\,|\log\sigma_p - \log\sigma_q|^2

    The KL uses scales bounded below by ``min_log_scale``, because in pauses scales are near zero and the KL
    becomes very large. The regulariser uses the unbounded scales. The log contains ``kl_nats`` without the
    regulariser.

    Args:
        regularisation: :math:`\lambda`, 4 in the paper.
        min_log_scale: lower bound of both log-scales in the KL, −6 in public implementations.
    """

    def __init__(self, *, regularisation: float = 4.0, min_log_scale: float = -6.0) -> None:
        super().__init__()
        self.regularisation, self.min_log_scale = regularisation, min_log_scale

    def per_sample(self, conditionals: Distribution, *densities: Distribution) -> list[Tensor]:
        """KL of the student's distributions to each of the densities, ``(batch, time)``, not regularised.

        Raises:
            UserError: unless all are Gaussian, with ``loc`` and ``log_scale``.
        """
        return [self._kl(conditionals, density) for density in densities]

    def _kl(self, conditionals: Distribution, density: Distribution) -> Tensor:
        if not (isinstance(density, Normal) and isinstance(conditionals, Normal)):
            raise UserError(
                f"the closed-form KL needs a Gaussian teacher and student, got {type(density).__name__} and "
                f"{type(conditionals).__name__}"
            )
        student_log_scale = conditionals.log_scale.clamp(min=self.min_log_scale)
        teacher_log_scale = density.log_scale.clamp(min=self.min_log_scale)
        precision = (-2 * teacher_log_scale).exp()
        moment = (2 * student_log_scale).exp() + (density.loc - conditionals.loc).square()
        return teacher_log_scale - student_log_scale + 0.5 * (moment * precision - 1)

    def forward(self, step: DistillationStep) -> Term:
        """Raises UserError as :meth:`per_sample`."""
        density, conditionals = step.teacher_density, step.conditionals
        (per_sample,) = self.per_sample(conditionals, density)
        kl = masked_mean(per_sample, step.mask)
        gap = density.log_scale - conditionals.log_scale  # type: ignore[attr-defined]  # of a Normal
        entropy = masked_mean(conditionals.entropy(), step.mask).detach()
        log = {
            "kl_nats": kl.detach(),
            "cross_entropy_nats": kl.detach() + entropy,
            "entropy_nats": entropy,
        }
        return Term(kl + self.regularisation * masked_mean(gap.square(), step.mask), log)

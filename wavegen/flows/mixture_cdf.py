"""The CDF of a mixture of logistics, and its logit, as monotone maps of one element."""

import torch
from torch import Tensor, nn

from wavegen.distributions.heads import LogisticMixtureHead
from wavegen.distributions.logistic_mixture import LogisticMixture
from wavegen.distributions.precision import bounded_logit


class _MixtureOfLogistics(nn.Module):
    """Splits the parameters as the teacher's head does: logits | loc | log_scale."""

    def __init__(self, num_components: int, min_log_scale: float) -> None:
        super().__init__()
        self.head = LogisticMixtureHead(num_components, min_log_scale)
        self.num_parameters = self.head.num_parameters

    def _mixture(self, parameters: Tensor) -> LogisticMixture:
        return self.head(parameters).continuous


class MixtureOfLogisticsCDF(_MixtureOfLogistics):
    """τ(x) = F(x) ∈ (0, 1), log|dτ/dx| = log p(x). Parameters: logits | loc | log_scale, K each.

    Over a uniform base, ``Autoregressive(transform=MixtureOfLogisticsCDF(...), conditioner=teacher)`` is
    the teacher's continuous density as a flow. In the upper tail z rounds to 1 and cannot be inverted (in
    float32 beyond 17 scales), while log|dτ/dx| stays exact; ``MixtureOfLogisticsLogit`` does not saturate.
    Cost O(K) per element; the inverse costs O(K) per step of a bracketed Newton iteration and is
    differentiated implicitly.

    Shapes: ``x`` any, ``parameters`` ``x.shape + (3 K,)``.

    Ho et al. 2019, Flow++ (arXiv 1902.00275), section 3.2.
    """

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        mixture = self._mixture(parameters)
        return mixture.cdf(x), mixture.log_prob(x)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        mixture = self._mixture(parameters)
        x = differentiable_quantile(mixture, bounded_logit(z))
        return x, -mixture.log_prob(x)


class MixtureOfLogisticsLogit(_MixtureOfLogistics):
    """τ(x) = logit F(x) = log F(x) − log(1 − F(x)), over a standard logistic base. Parameters as above.

    log|dτ/dx| = log p − log F − log(1 − F). log F and log(1 − F) are computed separately, because the logit
    of a saturated CDF would be constant and its log-det wrong by tens of nats. In float32 the error of the
    log-det, a difference of logarithms of size |u|, is about 1e-7 |u|; u is the distance to the nearest
    components in units of their scales. Cost, inverse, shapes and paper as for ``MixtureOfLogisticsCDF``.
    """

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return self._mixture(parameters).log_odds(x)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        mixture = self._mixture(parameters)
        x = differentiable_quantile(mixture, z)
        return x, -mixture.log_odds(x)[1]


def differentiable_quantile(mixture: LogisticMixture, logit: Tensor) -> Tensor:
    """Solves logit F(x; θ) = logit for x, differentiable in both: one recorded Newton step at the solution.

    Differentiating h(x; θ) = logit gives dx = (dlogit − ∂h/∂θ dθ) / (∂h/∂x). A Newton step at the solution,
    with its slope treated as a constant, has that gradient and also improves the last digit of the
    solution. First derivatives are exact; second derivatives through the step are not.
    """
    x = mixture.quantile_at_logit(logit)
    if not torch.is_grad_enabled():
        return x
    log_odds, log_slope = mixture.log_odds(x)
    return x - (log_odds - logit) * torch.exp(-log_slope.detach())

"""The cumulative distribution of a mixture of logistics as the monotone map of one element."""

import torch
from torch import Tensor, nn

from wavegen.distributions.heads import LogisticMixtureHead
from wavegen.distributions.logistic_mixture import LogisticMixture
from wavegen.distributions.precision import bounded_logit


class _MixtureOfLogistics(nn.Module):
    """The parameters, read exactly as the teacher's head reads them: logits | loc | log_scale."""

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
    float32 from 17 scales on), though log|dτ/dx| stays exact; ``MixtureOfLogisticsLogit`` does not
    saturate. O(K) an element; the inverse O(K) a step of a bracketed Newton iteration, differentiated
    implicitly.

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

    log|dτ/dx| = log p − log F − log(1 − F). log-CDF and log-survival are formed apart: the logit of a
    saturated CDF would stick, with a log-det wrong by tens of nats. In float32 the log-det, a difference of
    logarithms of size |u|, is good to about 1e-7 |u|, u the distance to the nearest components in scales.
    Cost, inverse, shapes and paper as ``MixtureOfLogisticsCDF``'s.
    """

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return self._mixture(parameters).log_odds(x)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        mixture = self._mixture(parameters)
        x = differentiable_quantile(mixture, z)
        return x, -mixture.log_odds(x)[1]


def differentiable_quantile(mixture: LogisticMixture, logit: Tensor) -> Tensor:
    """x with logit F(x; θ) = logit, differentiable in both: one recorded Newton step at the solution.

    Differentiating the equation h(x; θ) = logit gives dx = (dlogit − ∂h/∂θ dθ) / (∂h/∂x); a Newton step from
    the solution, its slope taken as a constant, has that gradient, and polishes the solution's last digit.
    First derivatives are exact; second derivatives through the step are not.
    """
    x = mixture.quantile_at_logit(logit)
    if not torch.is_grad_enabled():
        return x
    log_odds, log_slope = mixture.log_odds(x)
    return x - (log_odds - logit) * torch.exp(-log_slope.detach())

"""Reverse Kullback–Leibler divergence to an unnormalised density: variational inference."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution


def reverse_kl(
    distribution: Distribution, log_density: Callable[[Tensor], Tensor], num_samples: int
) -> Tensor:
    r"""Nats, the mean over samples x ~ q of :math:`\log q(x) - \log \tilde p(x)`, differentiable through x.

    .. math:: KL(q \| p) = E_q[\log q(x) - \log \tilde p(x)] + \log Z, \qquad p = \tilde p / Z

    Where p has no mass, q must have none (mode seeking). Only the unnormalised density of p and samples of q
    with their own density are needed; the latter take one pass of IAF. The unknown log Z is a constant, so
    the minimum of this loss is −log Z.

    Args:
        distribution: q, reparametrised; batch shape ().
        log_density: log p̃, ``(num_samples, *event_shape) -> (num_samples,)``.
        num_samples: number of samples.

    Rezende and Mohamed 2015 (arXiv 1505.05770); Papamakarios et al. 2021 (1912.02762), section 2.3.
    """
    x, log_prob = rsample_and_log_prob(distribution, torch.Size([num_samples]))
    return (log_prob - log_density(x)).mean()


def reverse_kl_along_path(
    distribution: Distribution, log_density: Callable[[Tensor], Tensor], num_samples: int
) -> Tensor:
    r"""The value of :func:`reverse_kl`, with the gradient that passes through the samples only.

    .. math:: \nabla_\theta KL = E\left[\frac{\partial x}{\partial\theta}^T
              \nabla_x\big(\log q(x) - \log \tilde p(x)\big)\right]

    The omitted part, the gradient of log q at fixed x, is a score: zero in expectation, but noisy.
    Without it the gradient is still unbiased, and its variance vanishes for q = p ("sticking the landing").
    The cost is a second pass for the density of q at the samples, differentiated with respect to x. For an
    inverse autoregressive flow that is the slow direction.

    Arguments are those of :func:`reverse_kl`.

    Roeder et al. 2017 (arXiv 1703.09194); for flows Vaitl et al. 2022 (2206.09016).
    """
    x, log_prob = rsample_and_log_prob(distribution, torch.Size([num_samples]))
    value = (log_prob - log_density(x)).mean().detach()
    with torch.enable_grad():
        held = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad((distribution.log_prob(held) - log_density(held)).sum(), held)
    path = (x * slope).sum() / num_samples
    return value + (path - path.detach())


def rsample_and_log_prob(distribution: Distribution, sample_shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Reparametrised samples with log-densities, in one pass if the distribution supports it."""
    if hasattr(distribution, "rsample_and_log_prob"):
        return distribution.rsample_and_log_prob(sample_shape)
    x = distribution.rsample(sample_shape)
    return x, distribution.log_prob(x)

"""Forward Kullback–Leibler divergence, which is maximum likelihood."""

from torch import Tensor
from torch.distributions import Distribution


def forward_kl(distribution: Distribution, x: Tensor) -> Tensor:
    r"""Nats, :math:`-\frac1N \sum_n \log q(x_n)`: KL(p ‖ q) up to the entropy of p, which is constant.

    .. math:: KL(p \| q) = -H(p) - E_p[\log q(x)]

    Where p has mass, q must have mass (mode covering). Only samples of p and the density of q are needed; the
    latter takes one pass of MAF. In the latent space of the flow the same number is a reverse KL: with p_z
    the distribution of z = f(x), x ~ p, it is KL(p_z ‖ base) (Papamakarios et al. 2021, arXiv 1912.02762,
    section 2.3).

    Args:
        distribution: q; batch shape () or that of ``x``.
        x: samples of p, ``(…, *event_shape)``.
    """
    return -distribution.log_prob(x).mean()

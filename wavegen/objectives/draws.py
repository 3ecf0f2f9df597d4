"""Uniforms at which a distribution is evaluated to estimate one-dimensional integrals."""

import torch
from torch import Tensor, nn

from wavegen.distributions.precision import open_unit_interval


class IndependentDraws(nn.Module):
    """Uniforms for independent draws, as in Parallel WaveNet: ``(num_draws, *shape)`` in (0, 1)."""

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
    r"""Uniforms for one draw from each of ``num_draws`` quantile strata of the student's own distribution.

    :math:`u_i = (i + v_i) / N` with :math:`v_i` uniform is unbiased like independent draws, and its variance
    decreases as :math:`N^{-2}` instead of :math:`N^{-1}` for the same number of evaluations. (The inner
    strata decrease as :math:`N^{-3}`. At both ends the log-density grows like the logarithm of the quantile,
    so the two end strata dominate.)
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

        With one draw per stratum, the variance within a stratum is not observable. Half the squared
        difference of neighbours contains it plus the squared difference of the strata's means, so the
        estimate is too large, but it decreases with the width of the strata. Zero for one draw.
        """
        if len(values) == 1:
            return torch.zeros_like(values[0])
        squares = 0.5 * values.diff(dim=0).square()
        return squares.mean(0) / len(values)

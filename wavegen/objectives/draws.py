"""Where in a law to evaluate what is averaged over it: uniforms for one-dimensional integrals."""

import torch
from torch import Tensor, nn

from wavegen.distributions.precision import open_unit_interval


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

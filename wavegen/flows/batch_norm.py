"""Batch normalisation as a layer of a flow."""

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError
from wavegen.flows.channels import ChannelBijection, channel_moments


class BatchNorm(ChannelBijection):
    """z = exp(log_gamma) (x − mean) / √(variance + eps) + beta, per channel;
    log_det = positions · Σ_c (log_gamma_c − ½ log(variance_c + eps)).

    In training mode, ``forward`` computes mean and variance over the batch and the positions. As in the
    papers, log_det treats them as constants: it is that of the affine map of one event and ignores that
    events of a batch depend on each other through the statistics. Gradients flow through the statistics.
    The training likelihood is therefore that of a layer which has seen its batch; evaluation is exact.

    In evaluation mode, and always in ``inverse``, the running statistics are used. They are exponential
    averages, mean ← (1 − momentum) mean + momentum · batch mean. The first 1 / momentum batches are averaged
    with equal weights, so the initial values (0 and 1) have no influence. ``inverse`` is thus the inverse of
    ``forward`` in evaluation mode only. Variances are always biased: with a constant batch the running
    statistics reproduce training exactly.

    A training batch with one number per channel has no variance. It is normalised with the running
    statistics and does not update them. ``eps`` limits the scale of a constant channel to eps^−½.

    Shapes: ``(…, num_features)`` for ``event_dim`` 1, ``(…, num_features, height, width)`` for 3. Cost
    O(size of x) in both directions. Raises ``UserError`` if the number of channels differs, the momentum is
    outside (0, 1], or eps is not positive.

    Ioffe and Szegedy 2015 (arXiv 1502.03167); Dinh et al. 2017, RealNVP (1605.08803), section 3.7;
    Papamakarios et al. 2017, MAF (1705.07057), section 4.1 and appendix B.
    """

    def __init__(
        self, num_features: int, event_dim: int = 1, momentum: float = 0.1, eps: float = 1e-5
    ) -> None:
        super().__init__(num_features, event_dim)
        if not 0 < momentum <= 1 or not eps > 0:
            raise UserError(
                f"BatchNorm: expected a momentum in (0, 1] and a positive eps, got {momentum} and {eps}"
            )
        self.momentum = momentum
        self.eps = eps
        self.log_gamma = nn.Parameter(torch.zeros(num_features))
        self.beta = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_variance", torch.ones(num_features))
        self.register_buffer("num_batches", torch.tensor(0))

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        batch_shape, positions = self.batch_and_positions(x)
        (x,) = at_least_float32(x)
        if self.training and x.numel() > self.num_channels:
            mean, variance = channel_moments(x, self.event_dim)
            self._update_running_statistics(mean, variance)
        else:
            mean, variance = self.running_mean.to(x.dtype), self.running_variance.to(x.dtype)
        log_scale = self._log_scale(variance)
        z = (x - self.over_positions(mean)) * self.over_positions(log_scale.exp())
        return z + self.over_positions(self.beta), (positions * log_scale.sum()).expand(batch_shape)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        batch_shape, positions = self.batch_and_positions(z)
        (z,) = at_least_float32(z)
        mean, variance = self.running_mean.to(z.dtype), self.running_variance.to(z.dtype)
        log_scale = self._log_scale(variance)
        x = (z - self.over_positions(self.beta)) * self.over_positions((-log_scale).exp())
        return x + self.over_positions(mean), (-positions * log_scale.sum()).expand(batch_shape)

    def _log_scale(self, variance: Tensor) -> Tensor:
        return self.log_gamma - 0.5 * (variance + self.eps).log()

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches += 1
        share = self.num_batches.to(mean.dtype).reciprocal().clamp_min(self.momentum)
        self.running_mean += share * (mean - self.running_mean)
        self.running_variance += share * (variance - self.running_variance)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, momentum={self.momentum}, eps={self.eps}"

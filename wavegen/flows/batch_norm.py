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

    ``forward`` in training mode takes mean and variance from the batch, over positions as well. As in the
    papers they count as constants of the map: log_det is that of one event's affine map, not of the map of
    the whole batch, whose events depend on each other through the statistics. Gradients run through them.
    So the training likelihood is that of a layer which saw its own batch; evaluation is exact.

    In evaluation mode, and in ``inverse`` always, the running statistics stand in their place: the
    exponential averages of the batches', mean ← (1 − momentum) mean + momentum · the batch's, and the plain
    average of the first 1 / momentum batches, so that the start (0 and 1) leaves no trace. Hence
    ``inverse`` undoes ``forward`` in evaluation mode only. Variances are the biased ones throughout: with a
    constant batch the running statistics reproduce training exactly.

    A training batch with one number per channel has no variance; the running statistics normalise it, and
    learn nothing from it. ``eps`` bounds the scale of a constant channel by eps^−½.

    Shapes: ``(…, num_features)`` for ``event_dim`` 1, ``(…, num_features, height, width)`` for 3. Cost
    O(size of x) in both directions. Raises ``UserError`` for another number of channels, for a momentum
    outside (0, 1] and an eps that is not positive.

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
            self._remember(mean, variance)
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
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches += 1
        share = self.num_batches.to(mean.dtype).reciprocal().clamp_min(self.momentum)
        self.running_mean += share * (mean - self.running_mean)
        self.running_variance += share * (variance - self.running_variance)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, momentum={self.momentum}, eps={self.eps}"

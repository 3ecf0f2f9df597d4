"""Fixed monotone maps of one element."""

import torch
import torch.nn.functional as F
from torch import Tensor

from wavegen.distributions.precision import bounded_logit
from wavegen.flows.bijection import Bijection, Context


class Sigmoid(Bijection):
    """z = σ(x), log|dz/dx| = logσ(x) + logσ(−x); any shape, event rank 0."""

    event_dim = 0

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return torch.sigmoid(x), _log_slope(x)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        # values that rounded to 0 or 1 are brought back to the nearest float inside
        x = bounded_logit(z)
        return x, -_log_slope(x)


class Logit(Bijection):
    """z = log(x / (1 − x)) on (0, 1), log|dz/dx| = −log x − log(1 − x); any shape, event rank 0."""

    event_dim = 0

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        z = bounded_logit(x)
        return z, -_log_slope(z)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        return torch.sigmoid(z), _log_slope(z)


def _log_slope(x: Tensor) -> Tensor:
    return 2 * F.logsigmoid(x) - x

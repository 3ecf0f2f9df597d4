"""The radial flow: contracts or expands space around one point."""

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.flows.parameters import ParametrisedBijection, positive_slope


class Radial(ParametrisedBijection):
    """z = x + β h(α, r) (x − x0), h = 1 / (α + r), r = ‖x − x0‖. Parameters: x0 | log α | β̃, D + 2.

    Invertible for β > −α: β = α (s(β̃) − 1) with s = ``positive_slope``, so β̃ = 0 is the identity.
    The distance r becomes ρ = r (r + α s) / (α + r), and

        log_det = (D − 1) log((r + α s) / (r + α)) + log((r² + 2 α r + s α²) / (α + r)²),

    where all terms are positive and nothing cancels. The inverse is in closed form: r is the positive root
    of r² + (α s − ρ) r − ρ α = 0, computed without cancellation. Both directions cost O(D).

    ``parameters`` as for ``Planar``, ``(D + 2,)`` or ``(batch, D + 2)``. Shapes: x ``(…, features)``. Raises
    ``UserError`` if the number of features or parameters differs.

    Rezende and Mohamed 2015 (arXiv 1505.05770).
    """

    def __init__(self, features: int, *, parameters: nn.Module | None = None) -> None:
        super().__init__(features, self.count_parameters(features), parameters)

    @staticmethod
    def count_parameters(features: int) -> int:
        return features + 2

    def _unpack(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x0, α and α s: the centre, the radius around it, and that radius times the slope s."""
        centre, log_alpha, raw = parameters.split([self.features, 1, 1], -1)
        alpha = torch.exp(log_alpha.squeeze(-1))
        return centre, alpha, alpha * positive_slope(raw.squeeze(-1))

    def _log_det(self, r: Tensor, alpha: Tensor, scaled: Tensor) -> Tensor:
        log_sum = torch.log(alpha + r)
        across = torch.log(r + scaled) - log_sum
        along = torch.log(r.square() + 2 * alpha * r + alpha * scaled) - 2 * log_sum
        return (self.features - 1) * across + along

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        x, parameters = self._read(x, context)
        centre, alpha, scaled = self._unpack(parameters)
        offset = x - centre
        r = torch.linalg.vector_norm(offset, dim=-1)
        stretch = (r + scaled) / (r + alpha)
        return centre + offset * stretch.unsqueeze(-1), self._log_det(r, alpha, scaled)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        z, parameters = self._read(z, context)
        centre, alpha, scaled = self._unpack(parameters)
        offset = z - centre
        rho = torch.linalg.vector_norm(offset, dim=-1)
        difference = rho - scaled
        twice_far = difference.abs() + torch.sqrt(difference.square() + 4 * rho * alpha)
        r = torch.where(difference >= 0, twice_far / 2, 2 * rho * alpha / twice_far)
        stretch = (r + alpha) / (r + scaled)
        return centre + offset * stretch.unsqueeze(-1), -self._log_det(r, alpha, scaled)

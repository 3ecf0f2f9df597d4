"""The planar flow: a residual layer with one tanh unit."""

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.flows.parameters import ParametrisedBijection, positive_slope
from wavegen.flows.tanh_equation import tanh_root, tanh_slope


class Planar(ParametrisedBijection):
    """z = x + û tanh(wᵀx + b). Parameters: u | w | b, 2 D + 1.

    log_det = log(1 + (1 − t²) wᵀû), t = tanh(wᵀx + b). The map is invertible for wᵀû > −1, so u is shifted
    along w: û = u + (s(wᵀu) − 1 − wᵀu) w / ‖w‖², hence wᵀû = s(wᵀu) − 1 with s = ``positive_slope``. As
    s(a) − 1 vanishes at a = 0 (the paper's softplus does not), û stays bounded as w → 0. The log_det is
    computed as log(t² + s (1 − t²)), which does not cancel.

    ``forward`` is in closed form, O(D). ``inverse`` solves the scalar equation
    p + (s − 1) tanh p = wᵀz + b for p = wᵀx + b by Newton's method, in about 5 to 20 steps of O(1), and is
    differentiated implicitly (first derivatives). For ``.inv`` the two directions are exchanged.

    ``parameters`` is a module that maps the context to parameters, ``(2 D + 1,)`` or ``(batch, 2 D + 1)``;
    by default they are learned directly. A net should not be initialised to zero: at u = w = 0 the gradient
    is zero.

    Shapes: x ``(…, features)``. Raises ``UserError`` if the number of features or parameters differs.

    Rezende and Mohamed 2015 (arXiv 1505.05770).
    """

    def __init__(self, features: int, *, parameters: nn.Module | None = None) -> None:
        super().__init__(features, self.count_parameters(features), parameters)

    @staticmethod
    def count_parameters(features: int) -> int:
        return 2 * features + 1

    def _unpack(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """û, w, b, and the slope s = 1 + wᵀû."""
        u, w, b = parameters.split([self.features, self.features, 1], -1)
        inner = (u * w).sum(-1)
        slope = positive_slope(inner)
        squared_norm = w.square().sum(-1).clamp(min=torch.finfo(w.dtype).tiny)
        u_hat = u + ((slope - 1 - inner) / squared_norm).unsqueeze(-1) * w
        return u_hat, w, b.squeeze(-1), slope

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        x, parameters = self._read(x, context)
        u_hat, w, b, slope = self._unpack(parameters)
        # elementwise products and a sum: autocast would compute a matrix product in lower precision
        tanh = torch.tanh((x * w).sum(-1) + b)
        return x + u_hat * tanh.unsqueeze(-1), torch.log(tanh_slope(tanh, slope))

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        z, parameters = self._read(z, context)
        u_hat, w, b, slope = self._unpack(parameters)
        target = (z * w).sum(-1) + b
        tanh = torch.tanh(tanh_root(target, slope.expand_as(target)))
        return z - u_hat * tanh.unsqueeze(-1), -torch.log(tanh_slope(tanh, slope))

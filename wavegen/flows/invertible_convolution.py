"""Glow's invertible 1×1 convolutions: one matrix over the channels, the same at every position."""

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.flows.channels import ChannelBijection
from wavegen.flows.factorisation import (
    LUFactors,
    log_abs_det,
    random_rotation,
    require_full_rank,
)
from wavegen.snapshot import Snapshot


class _ChannelProduct(ChannelBijection):
    """z = W x over channels, log_det = positions · log|det W|, for ``event_dim`` 3.

    W and its inverse are computed once per call in float64 and cast to x's type. They are small against the
    product, and a float32 round trip then has only the rounding errors of the two products. Autocast leaves
    the product in float32. On a CPU without gradients, the inverse is cached until the parameters change; it
    would otherwise take a tenth of the sampling time of a Glow with 128 hidden channels.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__(num_channels, event_dim=3)
        self._cached: tuple[Snapshot, tuple[Tensor, Tensor]] | None = None

    def _weight(self) -> tuple[Tensor, Tensor]:
        """W and log|det W| in float64."""
        raise NotImplementedError

    def _inverse_weight(self) -> tuple[Tensor, Tensor]:
        """W⁻¹ and log|det W| in float64."""
        raise NotImplementedError

    def _current_inverse_weight(self) -> tuple[Tensor, Tensor]:
        """``_inverse_weight``, or its cached result if no parameter or buffer has changed since."""
        state = [*self.parameters(), *self.buffers()]
        if torch.is_grad_enabled() or any(tensor.device.type != "cpu" for tensor in state):
            return self._inverse_weight()
        if self._cached is None or not self._cached[0].equals(state):
            self._cached = Snapshot(state), self._inverse_weight()
        return self._cached[1]

    def _multiply(self, matrix: Tensor, value: Tensor, log_abs_det: Tensor) -> tuple[Tensor, Tensor]:
        (value,) = at_least_float32(value)
        batch_shape, positions = self.batch_and_positions(value)
        columns = value.reshape(-1, self.num_channels, positions)
        with torch.autocast(value.device.type, enabled=False):
            # five times as fast on a CPU as the same product by conv2d
            product = torch.bmm(matrix.to(value.dtype).expand(len(columns), -1, -1), columns)
        return product.view(value.shape), (positions * log_abs_det).to(value.dtype).expand(batch_shape)

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self.forward_shape(x.shape)
        weight, log_abs_det = self._weight()
        return self._multiply(weight, x, log_abs_det)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        self.inverse_shape(z.shape)
        weight, log_abs_det = self._current_inverse_weight()
        return self._multiply(weight, z, -log_abs_det)


class InvertibleConvolution(_ChannelProduct):
    """Glow's invertible 1×1 convolution: z_p = W x_p at every position p, W a free C × C matrix.

    log_det = H · W · log|det W|, by LU factorisation. The initial W is a random rotation, log_det 0. Cost
    O(C² positions + C³) in both directions, the C³ once per batch. On CUDA a float64 factorisation takes more
    time than this count suggests; ``LUConvolution`` needs none.

    A free matrix may become singular. ``inverse`` then raises ``UserError``, and so does ``forward`` on a
    CPU. On an accelerator that check would synchronise in every layer, so ``forward`` returns log_det = −∞.

    Shapes: ``(…, C, H, W)``. Raises ``UserError`` if the number of channels differs.

    Kingma and Dhariwal 2018, Glow (arXiv 1807.03039), section 3.2.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__(num_channels)
        self.weight = nn.Parameter(random_rotation(num_channels).to(torch.get_default_dtype()))

    def _weight(self) -> tuple[Tensor, Tensor]:
        weight = self.weight.double()
        lu, _, _ = torch.linalg.lu_factor_ex(weight)
        if lu.device.type == "cpu":
            require_full_rank(self, lu)
        return weight, log_abs_det(lu)

    def _inverse_weight(self) -> tuple[Tensor, Tensor]:
        lu, pivots, _ = torch.linalg.lu_factor_ex(self.weight.double())
        require_full_rank(self, lu)
        identity = torch.eye(self.num_channels, dtype=lu.dtype, device=lu.device)
        return torch.linalg.lu_solve(lu, pivots, identity), log_abs_det(lu)


class LUConvolution(_ChannelProduct):
    """The same map with W = P L (U + diag(s)): P fixed, log|s| learned, signs fixed; never singular.

    log_det = H · W · Σ log|s|, in O(C). The inverse of W takes two triangular solves. The initial W is a
    random rotation. Cost O(C² positions + C³) in both directions; the C³ is a product or solve of C × C
    matrices.

    Shapes: ``(…, C, H, W)``. Raises ``UserError`` if the number of channels differs.

    Kingma and Dhariwal 2018, Glow (arXiv 1807.03039), section 3.2.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__(num_channels)
        self.factors = LUFactors(num_channels)

    def _weight(self) -> tuple[Tensor, Tensor]:
        factors, dtype = self.factors, torch.float64
        product = factors.lower(dtype) @ factors.upper(dtype)
        return product.index_select(0, factors.order), factors.log_abs_det(dtype)

    def _inverse_weight(self) -> tuple[Tensor, Tensor]:
        factors, dtype = self.factors, torch.float64
        lower, upper = factors.lower(dtype), factors.upper(dtype)
        identity = torch.eye(self.num_channels, dtype=dtype, device=lower.device)
        inverse = torch.linalg.solve_triangular(lower, identity, upper=False, unitriangular=True)
        inverse = torch.linalg.solve_triangular(upper, inverse, upper=True)
        return inverse.index_select(1, factors.order), factors.log_abs_det(dtype)

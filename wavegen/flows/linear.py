"""Linear maps of vectors, each parametrised so that it stays invertible and its log-det costs O(D)."""

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError
from wavegen.flows.channels import ChannelBijection
from wavegen.flows.factorisation import LUFactors, solve_rows
from wavegen.flows.householder import Householder


class _Linear(ChannelBijection):
    """z = W x on the last dimension, ``event_dim`` 1: a product in ``_multiply``, a solve in ``_solve``.

    Neither W nor its inverse is formed: D may be an image's size. Values are float32 at least, and autocast
    leaves them so.
    """

    def __init__(self, features: int) -> None:
        super().__init__(features, event_dim=1)

    def _multiply(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _solve(self, z: Tensor) -> Tensor:
        raise NotImplementedError

    def _log_abs_det(self, dtype: torch.dtype) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        batch_shape, _ = self.batch_and_positions(x)
        (x,) = at_least_float32(x)
        with torch.autocast(x.device.type, enabled=False):
            return self._multiply(x), self._log_abs_det(x.dtype).expand(batch_shape)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        batch_shape, _ = self.batch_and_positions(z)
        (z,) = at_least_float32(z)
        with torch.autocast(z.device.type, enabled=False):
            return self._solve(z), -self._log_abs_det(z.dtype).expand(batch_shape)


class Diagonal(_Linear):
    """z = exp(log_scale) ⊙ x, log_det = Σ log_scale. Starts as the identity.

    Cost O(D) in both directions; for a scale of either sign compose it with what it shall flip. Shapes:
    ``(…, D)``. Raises ``UserError`` for another D.
    """

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.log_scale = nn.Parameter(torch.zeros(features))

    def _multiply(self, x: Tensor) -> Tensor:
        return x * self.log_scale.to(x.dtype).exp()

    def _solve(self, z: Tensor) -> Tensor:
        return z * (-self.log_scale.to(z.dtype)).exp()

    def _log_abs_det(self, dtype: torch.dtype) -> Tensor:
        return self.log_scale.to(dtype).sum()


class Triangular(_Linear):
    """z = (L + diag(exp(log_diagonal))) x, L strictly lower triangular; log_det = Σ log_diagonal.

    ``packed`` holds L below its diagonal and log_diagonal on it; what is above is not read. Starts as the
    identity. An upper triangular map is this one between two ``Permutation.reverse``.

    Cost O(D²) in both directions, the inverse by forward substitution, which is stable backwards: the
    residual of the solve is at rounding however large the condition, the error at rounding times the
    condition. Shapes: ``(…, D)``. Raises ``UserError`` for another D.
    """

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.packed = nn.Parameter(torch.zeros(features, features))

    def _matrix(self, dtype: torch.dtype) -> Tensor:
        packed = self.packed.to(dtype)
        return packed.tril(-1) + torch.diag(packed.diagonal().exp())

    def _multiply(self, x: Tensor) -> Tensor:
        return x @ self._matrix(x.dtype).mT

    def _solve(self, z: Tensor) -> Tensor:
        return solve_rows(self._matrix(z.dtype), z, upper=False)

    def _log_abs_det(self, dtype: torch.dtype) -> Tensor:
        return self.packed.diagonal().to(dtype).sum()


class LULinear(_Linear):
    """z = P L (U + diag(s)) x: P a fixed permutation, L unit lower, U strictly upper triangular.

    log_det = Σ log|s|, the signs of s fixed and their logarithms learned. Starts from a random rotation.

    Cost O(D²) in both directions: two triangular products; two triangular solves. With partial pivoting at
    the start |L_ij| ≤ 1; training does not keep that, and the float32 round trip loses with the condition
    of both factors, of which that of W may be the smaller. Shapes: ``(…, D)``. Raises ``UserError`` for
    another D.

    Kingma and Dhariwal 2018, Glow (arXiv 1807.03039), section 3.2; Oliva et al. 2018, TAN (1801.09819).
    """

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.factors = LUFactors(features)

    def _multiply(self, x: Tensor) -> Tensor:
        factors, dtype = self.factors, x.dtype
        # the rows of L are permuted and not those of the values, whose gradient would be an index_add
        permuted = factors.lower(dtype).index_select(0, factors.order)
        return x @ factors.upper(dtype).mT @ permuted.mT

    def _solve(self, z: Tensor) -> Tensor:
        factors, dtype = self.factors, z.dtype
        value = z.index_select(-1, factors.order.argsort())
        value = solve_rows(factors.lower(dtype), value, upper=False, unitriangular=True)
        return solve_rows(factors.upper(dtype), value, upper=True)

    def _log_abs_det(self, dtype: torch.dtype) -> Tensor:
        return self.factors.log_abs_det(dtype)


class QRLinear(_Linear):
    """z = Q R x: Q a product of K Householder reflections, R upper triangular of positive diagonal.

    log_det = Σ log R_ii, learned by its logarithm (``packed``: its diagonal; R above it; what is below is
    not read). Any orthogonal matrix is a product of D reflections; fewer (``num_householder``, default D)
    reach a part of them at less cost. The reflections start in pairs that cancel, R as the identity: z = x
    for an even number of them, a reflection of x for an odd one.

    Cost O(D² + K D + K²) in both directions: the inverse is x = R⁻¹ Qᵀ z, R⁻¹ by back substitution. Q is
    orthogonal to rounding, so that the condition is R's alone. Shapes: ``(…, D)``. Raises ``UserError`` for
    another D, and for a negative number of reflections.

    Tomczak and Welling 2016 (arXiv 1611.09630); Hoogeboom et al. 2019, Emerging convolutions (1901.11137).
    """

    def __init__(self, features: int, num_householder: int | None = None) -> None:
        super().__init__(features)
        count = features if num_householder is None else num_householder
        if count < 0:
            raise UserError(f"QRLinear: expected a number of Householder reflections from 0 on, got {count}")
        self.rotation = Householder(features, count)
        self.packed = nn.Parameter(torch.zeros(features, features))

    def _upper(self, dtype: torch.dtype) -> Tensor:
        packed = self.packed.to(dtype)
        return packed.triu(1) + torch.diag(packed.diagonal().exp())

    def _multiply(self, x: Tensor) -> Tensor:
        return self.rotation.multiply(x @ self._upper(x.dtype).mT)

    def _solve(self, z: Tensor) -> Tensor:
        return solve_rows(self._upper(z.dtype), self.rotation.solve(z), upper=True)

    def _log_abs_det(self, dtype: torch.dtype) -> Tensor:
        return self.packed.diagonal().to(dtype).sum()

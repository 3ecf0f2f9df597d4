"""Linear maps of vectors whose parametrisation is always invertible and whose log-det costs O(D)."""

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.distributions.precision import at_least_float32
from wavegen.errors import UserError
from wavegen.flows.channels import ChannelBijection
from wavegen.flows.factorisation import LUFactors, solve_rows
from wavegen.flows.householder import Householder


class _Linear(ChannelBijection):
    """z = W x on the last dimension, ``event_dim`` 1: ``_multiply`` is a product, ``_solve`` a solve.

    W and its inverse are never formed, because D may be the size of an image. Values are at least float32,
    also under autocast.
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
    """z = exp(log_scale) ⊙ x, log_det = Σ log_scale. The initial map is the identity.

    Scales are positive. Cost O(D) in both directions. Shapes: ``(…, D)``. Raises ``UserError`` if D differs.
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

    ``packed`` holds L below its diagonal and log_diagonal on it; the upper triangle is ignored. The initial
    map is the identity. For an upper triangular map, put this one between two ``Permutation.reverse``.

    Cost O(D²) in both directions. The inverse is forward substitution, which is backward stable: the
    residual is at rounding level for any condition number, and the error is rounding times the condition
    number. Shapes: ``(…, D)``. Raises ``UserError`` if D differs.
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

    log_det = Σ log|s|; the signs of s are fixed and log|s| is learned. The initial map is a random rotation.

    Cost O(D²) in both directions: two triangular products or two triangular solves. Partial pivoting gives
    |L_ij| ≤ 1 initially, which training does not preserve. The error of a float32 round trip grows with the
    condition numbers of both factors, which may exceed that of W. Shapes: ``(…, D)``. Raises ``UserError``
    if D differs.

    Kingma and Dhariwal 2018, Glow (arXiv 1807.03039), section 3.2; Oliva et al. 2018, TAN (1801.09819).
    """

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.factors = LUFactors(features)

    def _multiply(self, x: Tensor) -> Tensor:
        factors, dtype = self.factors, x.dtype
        # permute the rows of L rather than the values, whose gradient would be an index_add
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
    """z = Q R x: Q a product of K Householder reflections, R upper triangular with positive diagonal.

    log_det = Σ log R_ii. ``packed`` holds log R_ii on its diagonal and R above it; the lower triangle is
    ignored. Any orthogonal matrix is a product of D reflections; fewer (``num_householder``, default D)
    cover only part of them at lower cost. Initially the reflections cancel in pairs and R is the identity,
    so z = x for an even number of reflections, and z is a reflection of x for an odd number.

    Cost O(D² + K D + K²) in both directions: the inverse is x = R⁻¹ Qᵀ z, R⁻¹ by back substitution. Q is
    orthogonal to rounding, so the condition number is that of R. Shapes: ``(…, D)``. Raises ``UserError`` if
    D differs or the number of reflections is negative.

    Tomczak and Welling 2016 (arXiv 1611.09630); Hoogeboom et al. 2019, Emerging convolutions (1901.11137).
    """

    def __init__(self, features: int, num_householder: int | None = None) -> None:
        super().__init__(features)
        count = features if num_householder is None else num_householder
        if count < 0:
            raise UserError(f"QRLinear: expected at least 0 Householder reflections, got {count}")
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

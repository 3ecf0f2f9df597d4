"""Matrices with orthonormal columns from free parameters, as the two maps that Sylvester flows use.

A basis has ``features`` D, ``rank`` M and ``num_parameters``. Its ``forward(parameters)`` returns two
functions: ``project``, x → Qᵀ x, (…, D) → (…, M), and ``embed``, y → Q y. Parameters have the shape
``(num_parameters,)`` or further batch dimensions that broadcast against those of x.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from wavegen.distributions.fixed_point import all_true
from wavegen.errors import UserError

Maps = tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]


class OrthonormalColumns(nn.Module):
    """Q, D × M, the orthonormal matrix nearest to E + raw, E the first M columns of the identity.

    Björck and Bowie's iteration Q ← Q (I + ½ (I − QᵀQ)) maps every singular value σ to σ (3 − σ²) / 2, which
    converges quadratically to 1 for any σ in (0, √3). The initial matrix is divided by a bound of its largest
    singular value (√ of the largest row sum of |AᵀA|); the limit and its gradient do not depend on this
    scale. The iteration stops when ‖QᵀQ − I‖ reaches the precision of the dtype. Each pass costs O(D M²);
    about log_1.5 of the condition number plus 5 passes are needed. Differentiable. Because of the offset E,
    a net that is initialised to zero gives an orthonormal matrix.

    Raises ``UserError`` if the rank exceeds ``features``, or if the iteration does not converge, which means
    that the matrix has no full column rank in its dtype.

    Björck and Bowie 1971; in flows, van den Berg et al. 2018 (arXiv 1803.05649).
    """

    max_iterations = 60

    def __init__(self, features: int, rank: int) -> None:
        super().__init__()
        if not 1 <= rank <= features:
            raise UserError(f"OrthonormalColumns: expected a rank from 1 to {features}, got {rank}")
        self.features, self.rank = features, rank
        self.num_parameters = features * rank

    def matrix(self, parameters: Tensor) -> Tensor:
        """Q of shape ``(…, features, rank)``."""
        raw = parameters.reshape(*parameters.shape[:-1], self.features, self.rank)
        q = raw + torch.eye(self.features, self.rank, dtype=raw.dtype, device=raw.device)
        identity = torch.eye(self.rank, dtype=raw.dtype, device=raw.device)
        with torch.no_grad():
            bound = (q.mT @ q).abs().sum(-1).amax(-1).sqrt().clamp(min=torch.finfo(q.dtype).tiny)
        q = q / bound[..., None, None]
        tolerance = 10 * self.rank * torch.finfo(q.dtype).eps
        for _ in range(self.max_iterations):
            defect = identity - q.mT @ q
            # compared by ≤, so that NaN does not count as converged
            small = defect.detach().square().sum((-2, -1)).sqrt() <= tolerance
            # One pass more than the value needs: each pass removes the remaining symmetric part of the
            # gradient, in particular that of the scale.
            q = q + 0.5 * q @ defect
            if all_true(small):
                return q
        if torch._C._are_functorch_transforms_active():  # where convergence cannot be tested
            return q
        raise UserError(
            f"OrthonormalColumns: expected a matrix of full column rank {self.rank}; the iteration did not "
            f"converge within {self.max_iterations} passes"
        )

    def forward(self, parameters: Tensor) -> Maps:
        q = self.matrix(parameters)
        return lambda x: times(q.mT, x), lambda y: times(q, y)


class HouseholderProduct(nn.Module):
    """Q = H_1 H_2 … H_K, D × D, H_k = I − 2 v_k v_kᵀ / ‖v_k‖², v_k = e_(k mod D) + raw_k.

    D reflections cover every orthogonal matrix of determinant (−1)^D, fewer only part of them. They are
    applied one by one, O(D K); Q is never formed. The offset e avoids v = 0 for a net initialised to zero.

    Tomczak and Welling 2016 (arXiv 1611.09630); van den Berg et al. 2018 (1803.05649).
    """

    def __init__(self, features: int, num_reflections: int) -> None:
        super().__init__()
        if num_reflections < 1:
            raise UserError(f"HouseholderProduct: expected at least 1 reflection, got {num_reflections}")
        self.features = self.rank = features
        self.num_reflections = num_reflections
        self.num_parameters = features * num_reflections

    def forward(self, parameters: Tensor) -> Maps:
        raw = parameters.reshape(*parameters.shape[:-1], self.num_reflections, self.features)
        axes = torch.eye(self.features, dtype=raw.dtype, device=raw.device)
        vectors = raw + axes[torch.arange(self.num_reflections, device=raw.device) % self.features]
        norms = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
        units = (vectors / norms.clamp(min=torch.finfo(raw.dtype).tiny)).unbind(-2)

        def project(x: Tensor) -> Tensor:
            for unit in units:
                x = x - 2 * unit * (unit * x).sum(-1, keepdim=True)
            return x

        def embed(y: Tensor) -> Tensor:
            for unit in reversed(units):
                y = y - 2 * unit * (unit * y).sum(-1, keepdim=True)
            return y

        return project, embed


class PermutedAxes(nn.Module):
    """Q a permutation, D × D: (Qᵀ x)_i = x_(order_i). No parameters, O(D).

    Raises ``UserError`` if ``order`` is not a permutation of 0 … D − 1.
    """

    num_parameters = 0

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        order = list(order)
        if not order or sorted(order) != list(range(len(order))):
            raise UserError(f"PermutedAxes: expected a permutation of 0 … {len(order) - 1}, got {order}")
        self.features = self.rank = len(order)
        self.register_buffer("order", torch.tensor(order))
        self.register_buffer("inverse_order", torch.argsort(self.order), persistent=False)

    def _load_from_state_dict(self, *arguments) -> None:
        super()._load_from_state_dict(*arguments)
        self.inverse_order = torch.argsort(self.order)

    def forward(self, parameters: Tensor) -> Maps:
        return lambda x: x[..., self.order], lambda y: y[..., self.inverse_order]


def times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Matrix-vector product over the last dimensions; batch dimensions broadcast."""
    if matrix.dim() == 2:
        return vector @ matrix.mT
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)

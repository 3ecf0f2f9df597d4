"""Sylvester flows: a residual layer with M hidden units and a triangular M × M Jacobian."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavegen.distributions.batches import Context
from wavegen.errors import UserError
from wavegen.flows.orthonormal import HouseholderProduct, OrthonormalColumns, PermutedAxes, times
from wavegen.flows.parameters import ParametrisedBijection, positive_slope
from wavegen.flows.tanh_equation import solve_tanh_equation, tanh_slope


class Sylvester(ParametrisedBijection):
    """z = x + Q R tanh(R̃ Qᵀ x + b); Q with M orthonormal columns, R and R̃ upper triangular, M × M.

    By Sylvester's identity det ∂z/∂x = det(I_M + diag(1 − t²) R̃ R), t = tanh(R̃ Qᵀ x + b), which is
    triangular: log_det = Σ_i log(1 + (1 − t_i²) r_ii r̃_ii), O(M), invertible for r_ii r̃_ii > −1.

    The paper bounds both diagonals by tanh, and so their products by ±1. Here r̃_ii = exp(κ_i) > 0, without
    loss of generality (tanh is odd, so the sign of a unit moves into R and b), and
    r_ii = (s(ρ_i r̃_ii) − 1) / r̃_ii with s = ``positive_slope``. Thus r_ii r̃_ii = s − 1 is above −1 and
    unbounded from above; ρ = 0 gives r_ii = 0, and r_ii stays bounded as r̃_ii → 0. The log_det is computed
    as Σ log(t² + s (1 − t²)).

    ``inverse``: with y = Qᵀ x, v = Qᵀ z the flow is v = y + R tanh(R̃ y + b), which is triangular. From the
    last unit to the first, each unit is one scalar equation p + (s − 1) tanh p = c as in the planar flow,
    solved by Newton's method: M equations in sequence and O(M²) products. Then x = z + Q (y − v). The
    inverse is differentiated implicitly by one recorded Newton step on the M equations, with its Jacobian
    treated as a constant; first derivatives are exact, second derivatives are not.

    ``basis`` computes Q: ``OrthonormalColumns``, ``HouseholderProduct``, ``PermutedAxes``, or another module
    with their interface. ``parameters`` is a module that maps the context to ``count_parameters``
    parameters, ``(n,)`` or ``(batch, n)``; by default they are learned directly. Their order is: those of
    the basis | R above the diagonal, by rows | R̃ likewise | ρ | κ | b.

    Shapes: x ``(…, features)``. Computed in at least float32, also under autocast. Raises ``UserError`` if
    the number of features or parameters differs.

    Van den Berg et al. 2018 (arXiv 1803.05649).
    """

    def __init__(self, *, basis: nn.Module, parameters: nn.Module | None = None) -> None:
        rank = basis.rank
        above = rank * (rank - 1) // 2
        sizes = [basis.num_parameters, above, above, rank, rank, rank]
        super().__init__(basis.features, sum(sizes), parameters)
        self.basis = basis
        self.rank = rank
        self._sizes = sizes

    def _unpack(self, parameters: Tensor):
        """Qᵀ and Q as functions, R, R̃, s and b."""
        of_basis, above, above_tilde, raw, log_diagonal, b = parameters.split(self._sizes, -1)
        project, embed = self.basis(of_basis)
        diagonal_tilde = torch.exp(log_diagonal)
        slope = positive_slope(raw * diagonal_tilde)
        r = _upper_triangular(above, (slope - 1) / diagonal_tilde)
        return project, embed, r, _upper_triangular(above_tilde, diagonal_tilde), slope, b

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        x, parameters = self._read(x, context)
        with torch.autocast(x.device.type, enabled=False):
            project, embed, r, r_tilde, slope, b = self._unpack(parameters)
            tanh = torch.tanh(times(r_tilde, project(x)) + b)
            return x + embed(times(r, tanh)), torch.log(tanh_slope(tanh, slope)).sum(-1)

    def inverse(self, z: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        z, parameters = self._read(z, context)
        with torch.autocast(z.device.type, enabled=False):
            project, embed, r, r_tilde, slope, b = self._unpack(parameters)
            v = project(z)
            y = _solve(v, r, r_tilde, slope, b)
            tanh = torch.tanh(times(r_tilde, y) + b)
            if torch.is_grad_enabled():
                with torch.no_grad():
                    jacobian = r @ ((1 - tanh.square()).unsqueeze(-1) * r_tilde)
                    jacobian = torch.eye(self.rank, dtype=r.dtype, device=r.device) + jacobian
                residual = y + times(r, tanh) - v
                y = y - torch.linalg.solve_triangular(jacobian, residual.unsqueeze(-1), upper=True).squeeze(
                    -1
                )
                tanh = torch.tanh(times(r_tilde, y) + b)
            return z + embed(y - v), -torch.log(tanh_slope(tanh, slope)).sum(-1)

    def extra_repr(self) -> str:
        return f"features={self.features}, rank={self.rank}"


class OrthogonalSylvester(Sylvester):
    """A Sylvester flow with Q of ``rank`` orthonormal columns computed by iteration (``OrthonormalColumns``).
    M = ``rank`` ≤ D can be chosen. Cost O(D M) per vector, and O(D M²) per iteration for Q.
    """

    def __init__(self, features: int, rank: int, *, parameters: nn.Module | None = None) -> None:
        super().__init__(basis=OrthonormalColumns(features, rank), parameters=parameters)

    @staticmethod
    def count_parameters(features: int, rank: int) -> int:
        return features * rank + rank * (rank + 2)


class HouseholderSylvester(Sylvester):
    """A Sylvester flow with Q a product of ``num_reflections`` reflections (``HouseholderProduct``), M = D.
    Cost O(D² + D · num_reflections) per vector.
    """

    def __init__(self, features: int, num_reflections: int, *, parameters: nn.Module | None = None) -> None:
        super().__init__(basis=HouseholderProduct(features, num_reflections), parameters=parameters)

    @staticmethod
    def count_parameters(features: int, num_reflections: int) -> int:
        return features * num_reflections + features * (features + 2)


class TriangularSylvester(Sylvester):
    """A Sylvester flow with Q a permutation (``PermutedAxes``), M = D; cost O(D²) per vector.

    ``order`` is the permutation, by default the identity. The paper alternates between the identity and the
    reversal, ``order=range(features)[::-1]``, from layer to layer.
    """

    def __init__(
        self,
        features: int,
        *,
        order: Sequence[int] | None = None,
        parameters: nn.Module | None = None,
    ) -> None:
        order = range(features) if order is None else order
        if len(order) != features:
            raise UserError(
                f"TriangularSylvester: expected an order of {features} features, got {len(order)} of them"
            )
        super().__init__(basis=PermutedAxes(order), parameters=parameters)

    @staticmethod
    def count_parameters(features: int, order: Sequence[int] | None = None) -> int:
        return features * (features + 2)


def _upper_triangular(above: Tensor, diagonal: Tensor) -> Tensor:
    matrix = torch.diag_embed(diagonal)
    rows, columns = torch.triu_indices(matrix.shape[-2], matrix.shape[-1], 1, device=matrix.device)
    matrix[..., rows, columns] = above
    return matrix


@torch.no_grad()
def _solve(v: Tensor, r: Tensor, r_tilde: Tensor, slope: Tensor, b: Tensor) -> Tensor:
    """Solves y + R tanh(R̃ y + b) = v for y by back substitution; no gradient."""
    y, tanh = torch.zeros_like(v), torch.zeros_like(v)
    slope = slope.expand_as(v)
    for i in reversed(range(v.shape[-1])):
        # the contribution of the solved units after i; units up to i are still zero
        known = v[..., i] - (r[..., i, :] * tanh).sum(-1)
        rest = (r_tilde[..., i, :] * y).sum(-1) + b[..., i]
        root = solve_tanh_equation(r_tilde[..., i, i] * known + rest, slope[..., i])
        tanh[..., i] = torch.tanh(root)
        y[..., i] = known - r[..., i, i] * tanh[..., i]
    return y

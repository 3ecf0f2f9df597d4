"""Sylvester flows: a hidden layer of M units added to its input, its Jacobian an M × M triangle."""

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

    The paper bounds both diagonals by tanh, hence the products by ±1. Here r̃_ii = exp(κ_i) > 0, which loses
    nothing (a unit's sign moves into R and b, tanh being odd), and r_ii = (s(ρ_i r̃_ii) − 1) / r̃_ii with
    s = ``positive_slope``, so that r_ii r̃_ii = s − 1 is above −1 and not bounded from above; ρ = 0 gives
    r_ii = 0, and r_ii stays bounded as r̃_ii → 0. The log_det is formed as Σ log(t² + s (1 − t²)).

    ``inverse``: with y = Qᵀ x, v = Qᵀ z the flow is v = y + R tanh(R̃ y + b), triangular: from the last
    unit to the first, each is one scalar equation p + (s − 1) tanh p = c as the planar flow's, solved by
    Newton's method; M of them in sequence and O(M²) products. Then x = z + Q (y − v). Differentiated
    implicitly: one recorded Newton step on the M equations, its Jacobian taken as a constant; first
    derivatives are exact, second ones are not.

    ``basis`` makes Q: ``OrthonormalColumns``, ``HouseholderProduct``, ``PermutedAxes``, or another of their
    contract. ``parameters`` is a module that maps the context to ``count_parameters`` parameters,
    ``(n,)`` or ``(batch, n)``; none learns a table. They are, in order: the basis's | R above the diagonal,
    by rows | R̃ likewise | ρ | κ | b.

    Shapes: x ``(…, features)``. Computed in float32 at least, under autocast too. Raises ``UserError`` for
    another number of features or parameters.

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
    """Sylvester's flow with Q of ``rank`` orthonormal columns by iteration (``OrthonormalColumns``): the
    bottleneck M = ``rank`` ≤ D is free. O(D M) a vector, and O(D M²) an iteration for Q.
    """

    def __init__(self, features: int, rank: int, *, parameters: nn.Module | None = None) -> None:
        super().__init__(basis=OrthonormalColumns(features, rank), parameters=parameters)

    @staticmethod
    def count_parameters(features: int, rank: int) -> int:
        return features * rank + rank * (rank + 2)


class HouseholderSylvester(Sylvester):
    """Sylvester's flow with Q a product of ``num_reflections`` reflections (``HouseholderProduct``), M = D.
    O(D² + D · num_reflections) a vector.
    """

    def __init__(self, features: int, num_reflections: int, *, parameters: nn.Module | None = None) -> None:
        super().__init__(basis=HouseholderProduct(features, num_reflections), parameters=parameters)

    @staticmethod
    def count_parameters(features: int, num_reflections: int) -> int:
        return features * num_reflections + features * (features + 2)


class TriangularSylvester(Sylvester):
    """Sylvester's flow with Q a permutation (``PermutedAxes``), M = D; O(D²) a vector.

    ``order`` is the permutation, none the identity. The paper alternates the identity with the reverse,
    ``order=range(features)[::-1]``, from layer to layer.
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
    """y with y + R tanh(R̃ y + b) = v, by back substitution; no gradient."""
    y, tanh = torch.zeros_like(v), torch.zeros_like(v)
    slope = slope.expand_as(v)
    for i in reversed(range(v.shape[-1])):
        # what the units after i, already known, contribute; those up to i are still zero
        known = v[..., i] - (r[..., i, :] * tanh).sum(-1)
        rest = (r_tilde[..., i, :] * y).sum(-1) + b[..., i]
        root = solve_tanh_equation(r_tilde[..., i, i] * known + rest, slope[..., i])
        tanh[..., i] = torch.tanh(root)
        y[..., i] = known - r[..., i, i] * tanh[..., i]
    return y

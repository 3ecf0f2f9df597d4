"""Orthogonal matrices as products of Householder reflections."""

import torch
from torch import Tensor, nn

from wavegen.flows.factorisation import solve_rows


class Householder(nn.Module):
    """Q = H_1 ⋯ H_K, H_k = I − 2 u_k u_kᵀ with u_k = v_k / |v_k|, applied to rows ``(…, D)`` in O(K D + K²).

    With the rows u_k in a matrix U, Q = I − Uᵀ S⁻¹ U, where S = ½ I + (the strictly upper triangle of U Uᵀ).
    This takes two products and a triangular solve instead of K steps. Q is orthogonal to rounding for any
    v_k. A v_k = 0 reflects nothing; training does not reach it, because gradients are perpendicular to v_k.

    Joffrain et al. 2006, Accumulating Householder transformations, revisited (ACM TOMS 32, 169).
    """

    def __init__(self, features: int, count: int) -> None:
        super().__init__()
        pairs = torch.randn((count + 1) // 2, features).repeat_interleave(2, dim=0)
        self.vectors = nn.Parameter(pairs[:count].clone())

    def _unit_and_gram(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        # The default eps of 1e-12 would leave shorter vectors neither of unit length nor zero.
        unit = nn.functional.normalize(self.vectors.to(dtype), dim=-1, eps=torch.finfo(dtype).tiny)
        half = torch.full_like(unit[:, 0], 0.5)
        return unit, (unit @ unit.mT).triu(1) + torch.diag(half)

    def multiply(self, rows: Tensor) -> Tensor:
        """Q v for every row v."""
        unit, gram = self._unit_and_gram(rows.dtype)
        return rows - solve_rows(gram, rows @ unit.mT, upper=True) @ unit

    def solve(self, rows: Tensor) -> Tensor:
        """Q⁻¹ v = Qᵀ v for every row v."""
        unit, gram = self._unit_and_gram(rows.dtype)
        return rows - solve_rows(gram.mT, rows @ unit.mT, upper=False) @ unit

"""Factorisations of square matrices: checks of LU factors, triangular solves, and a learned LU matrix."""

import torch
from torch import Tensor, nn

from wavegen.errors import UserError


def random_rotation(size: int) -> Tensor:
    """A random orthogonal matrix in float64, uniform in Haar measure, with determinant 1 or −1."""
    q, r = torch.linalg.qr(torch.randn(size, size, dtype=torch.float64))
    # The sign convention of QR would make the distribution non-uniform (Mezzadri 2007, math-ph/0609050).
    return q * r.diagonal().sign()


def log_abs_det(lu: Tensor) -> Tensor:
    """log|det| of the matrices ``(…, n, n)`` whose LU factors in LAPACK's packed form are ``lu``."""
    return lu.diagonal(dim1=-2, dim2=-1).abs().log().sum(-1)


def require_full_rank(owner: nn.Module, lu: Tensor) -> None:
    """Raises ``UserError`` if packed LU factors ``(…, n, n)`` belong to a matrix that is not finite or is
    numerically singular in its dtype. This synchronises with an accelerator."""
    pivots = lu.detach().diagonal(dim1=-2, dim2=-1).abs()
    smallest, largest = pivots.aminmax(dim=-1)
    # false as well if a pivot is infinite or NaN
    regular = smallest > lu.shape[-1] * torch.finfo(lu.dtype).eps * largest
    if not regular.all():
        worst = regular.logical_not().flatten().int().argmax()
        raise UserError(
            f"{type(owner).__name__}: expected a weight of full rank, got a singular {lu.shape[-1]} × "
            f"{lu.shape[-1]} matrix with pivots from {smallest.flatten()[worst].item():.3g} to "
            f"{largest.flatten()[worst].item():.3g}"
        )


def solve_rows(matrix: Tensor, rows: Tensor, *, upper: bool, unitriangular: bool = False) -> Tensor:
    """Solves matrix v = row for every row of ``(…, D)`` and a triangular ``matrix`` ``(D, D)``."""
    # All rows are columns of one right-hand side; a batched solve would copy the matrix.
    columns = rows.reshape(rows.shape[:-1].numel(), rows.shape[-1]).mT
    solved = torch.linalg.solve_triangular(matrix, columns, upper=upper, unitriangular=unitriangular)
    return solved.mT.reshape(rows.shape)


class LUFactors(nn.Module):
    """W = P L (U + diag(s)): P a fixed permutation, L unit lower triangular, U strictly upper triangular.

    ``packed`` holds L below its diagonal, U above and log|s| on it: n² parameters, as many as W has. The
    signs of s are fixed to those of the initial W, a random rotation, so training cannot reach det W = 0.
    log|det W| = Σ log|s| costs O(n).

    Kingma and Dhariwal 2018, Glow (arXiv 1807.03039), section 3.2.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        permutation, lower, upper = torch.linalg.lu(random_rotation(size))
        s = upper.diagonal()
        packed = lower.tril(-1) + upper.triu(1) + torch.diag(s.abs().log())
        self.packed = nn.Parameter(packed.to(torch.get_default_dtype()))
        self.register_buffer("sign", s.sign().to(torch.get_default_dtype()))
        self.register_buffer("order", permutation.argmax(1))  # (P v)_i = v_order[i]

    def lower(self, dtype: torch.dtype) -> Tensor:
        """L with ones on its diagonal."""
        packed = self.packed.to(dtype)
        return packed.tril(-1) + torch.eye(len(packed), dtype=dtype, device=packed.device)

    def upper(self, dtype: torch.dtype) -> Tensor:
        """U + diag(s)."""
        packed = self.packed.to(dtype)
        return packed.triu(1) + torch.diag(self.sign.to(dtype) * packed.diagonal().exp())

    def log_abs_det(self, dtype: torch.dtype) -> Tensor:
        return self.packed.diagonal().to(dtype).sum()

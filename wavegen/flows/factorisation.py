"""Square matrices taken apart: the LU factors of a free one, and a matrix that is learned as its factors."""

import torch
from torch import Tensor, nn

from wavegen.errors import UserError


def random_rotation(size: int) -> Tensor:
    """A random orthogonal matrix in float64, uniform by Haar's measure, of either orientation."""
    q, r = torch.linalg.qr(torch.randn(size, size, dtype=torch.float64))
    # the signs that QR leaves to convention would favour some rotations (Mezzadri 2007, math-ph/0609050)
    return q * r.diagonal().sign()


def log_abs_det(lu: Tensor) -> Tensor:
    """log|det| of the matrices ``(…, n, n)`` whose LU factors, packed as LAPACK does, these are."""
    return lu.diagonal(dim1=-2, dim2=-1).abs().log().sum(-1)


def require_full_rank(owner: nn.Module, lu: Tensor) -> None:
    """Raises ``UserError`` where packed LU factors ``(…, n, n)`` belong to a matrix that is singular to the
    precision of its type, or is not finite. On an accelerator the host waits for the answer."""
    pivots = lu.detach().diagonal(dim1=-2, dim2=-1).abs()
    smallest, largest = pivots.aminmax(dim=-1)
    # false too where either is infinite or no number
    regular = smallest > lu.shape[-1] * torch.finfo(lu.dtype).eps * largest
    if not regular.all():
        worst = regular.logical_not().flatten().int().argmax()
        raise UserError(
            f"{type(owner).__name__}: expected a weight of full rank, got a singular {lu.shape[-1]} × "
            f"{lu.shape[-1]} matrix, of pivots from {smallest.flatten()[worst].item():.3g} to "
            f"{largest.flatten()[worst].item():.3g}"
        )


def solve_rows(matrix: Tensor, rows: Tensor, *, upper: bool, unitriangular: bool = False) -> Tensor:
    """The v with matrix v = row, for every row of ``(…, D)`` and a triangular ``matrix`` ``(D, D)``."""
    # all rows as columns of one right-hand side: a solve that is batched would repeat the matrix
    columns = rows.reshape(rows.shape[:-1].numel(), rows.shape[-1]).mT
    solved = torch.linalg.solve_triangular(matrix, columns, upper=upper, unitriangular=unitriangular)
    return solved.mT.reshape(rows.shape)


class LUFactors(nn.Module):
    """W = P L (U + diag(s)): P a fixed permutation, L unit lower triangular, U strictly upper triangular.

    ``packed`` holds L below its diagonal, U above, log|s| on it: n² parameters, as many as W has. The signs
    of s stay those of the first W, a random rotation, so that no step of training meets det W = 0, and
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
        """L, its ones on the diagonal."""
        packed = self.packed.to(dtype)
        return packed.tril(-1) + torch.eye(len(packed), dtype=dtype, device=packed.device)

    def upper(self, dtype: torch.dtype) -> Tensor:
        """U + diag(s)."""
        packed = self.packed.to(dtype)
        return packed.triu(1) + torch.diag(self.sign.to(dtype) * packed.diagonal().exp())

    def log_abs_det(self, dtype: torch.dtype) -> Tensor:
        return self.packed.diagonal().to(dtype).sum()

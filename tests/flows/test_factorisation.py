import math

import pytest
import torch
from torch import nn

from wavegen.errors import UserError
from wavegen.flows.factorisation import LUFactors, log_abs_det, random_rotation, require_full_rank, solve_rows


@pytest.mark.cpu("calls a helper of constructors, which makes CPU tensors")
def test_rotations_have_either_orientation_and_no_preferred_sign():
    torch.manual_seed(0)
    rotations = torch.stack([random_rotation(3) for _ in range(400)])
    assert 150 < (torch.linalg.det(rotations) > 0).sum() < 250
    # Haar: every entry has mean 0 and variance 1/3
    assert rotations.mean(0).abs().max() < 0.15
    expected = torch.full((3, 3), 1 / 3).double()
    torch.testing.assert_close(rotations.square().mean(0), expected, rtol=0.2, atol=0)


@pytest.mark.cpu("calls a helper of constructors, which makes CPU tensors")
def test_packed_factors_multiply_to_the_rotation_they_were_made_of():
    torch.manual_seed(3)
    expected = random_rotation(5)
    torch.manual_seed(3)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        factors = LUFactors(5)
    finally:
        torch.set_default_dtype(default)
    product = factors.lower(torch.float64) @ factors.upper(torch.float64)
    torch.testing.assert_close(product[factors.order], expected, rtol=0, atol=1e-14)
    torch.testing.assert_close(factors.log_abs_det(torch.float64).item(), 0.0, rtol=0, atol=1e-14)


def test_log_det_of_factors_is_that_of_the_product():
    factors = LUFactors(4)
    with torch.no_grad():
        factors.packed.add_(torch.randn(4, 4))
    product = factors.lower(torch.float64) @ factors.upper(torch.float64)
    torch.testing.assert_close(factors.log_abs_det(torch.float64), torch.linalg.slogdet(product)[1])


def test_log_abs_det_is_that_of_every_matrix():
    matrices = torch.randn(3, 2, 4, 4, dtype=torch.float64)
    lu = torch.linalg.lu_factor(matrices).LU
    torch.testing.assert_close(log_abs_det(lu), torch.linalg.slogdet(matrices)[1])


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("unitriangular", [False, True])
@pytest.mark.parametrize("shape", [(4,), (2, 3, 4), (0, 4)])
def test_rows_are_solved_by_the_triangular_matrix(upper, unitriangular, shape):
    full = torch.randn(4, 4, dtype=torch.float64) + 3 * torch.eye(4)
    matrix = full.triu() if upper else full.tril()
    if unitriangular:
        matrix = matrix - torch.diag(matrix.diagonal()) + torch.eye(4)
    rows = torch.randn(shape, dtype=torch.float64)
    solved = solve_rows(full if unitriangular else matrix, rows, upper=upper, unitriangular=unitriangular)
    torch.testing.assert_close(solved @ matrix.mT, rows)


@pytest.mark.parametrize("spoilt", [0.0, math.nan, math.inf])
def test_a_singular_matrix_is_named_with_its_owner(spoilt):
    matrices = torch.eye(3).repeat(2, 1, 1)
    require_full_rank(nn.Identity(), torch.linalg.lu_factor(matrices).LU)
    lu = matrices.clone()
    lu[1, 2, 2] = spoilt
    with pytest.raises(UserError, match="Identity: expected a weight of full rank, got a singular 3 × 3"):
        require_full_rank(nn.Identity(), lu)

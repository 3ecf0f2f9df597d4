import copy

import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import HouseholderProduct, OrthonormalColumns, PermutedAxes


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def dense(basis, parameters):
    """Q from the two maps, column by column and row by row."""
    project, embed = basis(parameters)
    q = embed(torch.eye(basis.rank, dtype=torch.float64)).mT
    torch.testing.assert_close(project(torch.eye(basis.features, dtype=torch.float64)), q)
    return q


@pytest.mark.parametrize(
    "basis",
    [OrthonormalColumns(5, 3), OrthonormalColumns(4, 4), HouseholderProduct(4, 3), PermutedAxes([2, 0, 1])],
)
def test_columns_are_orthonormal_and_the_two_maps_are_one_matrix(basis):
    q = dense(basis, torch.randn(basis.num_parameters, dtype=torch.float64))
    assert q.shape == (basis.features, basis.rank)
    torch.testing.assert_close(q.mT @ q, torch.eye(basis.rank, dtype=torch.float64), rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_iteration_finds_the_nearest_orthonormal_matrix(dtype, scale):
    basis = OrthonormalColumns(16, 6)
    raw = scale * torch.randn(7, basis.num_parameters, dtype=dtype)
    start = raw.reshape(7, 16, 6) + torch.eye(16, 6, dtype=dtype)
    u, _, vh = torch.linalg.svd(start.double(), full_matrices=False)
    torch.testing.assert_close(basis.matrix(raw).double(), u @ vh, rtol=0, atol=300 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("shape", [(4, 1), (4, 2), (3, 3)])
def test_its_gradient_is_the_polar_factor_s(shape):
    basis = OrthonormalColumns(*shape)

    def polar(raw):
        u, _, vh = torch.linalg.svd(
            raw.reshape(shape) + torch.eye(*shape, dtype=raw.dtype), full_matrices=False
        )
        return u @ vh

    raw = torch.randn(basis.num_parameters, dtype=torch.float64)
    torch.testing.assert_close(
        torch.autograd.functional.jacobian(basis.matrix, raw),
        torch.autograd.functional.jacobian(polar, raw),
        rtol=0,
        atol=1e-10,
    )
    # at zero too, where the value is there before the first pass
    zero = torch.zeros(basis.num_parameters, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(basis.matrix, zero)


def test_a_matrix_without_full_rank_is_refused():
    basis = OrthonormalColumns(3, 2)
    # cancels the second column of the identity
    raw = torch.tensor([[0.0, 0.0], [0.0, -1.0], [0.0, 0.0]]).flatten()
    with pytest.raises(UserError, match="expected a matrix of full column rank 2"):
        basis(raw)
    with pytest.raises(UserError, match="full column rank"):
        basis(torch.full((6,), torch.nan))


def test_reflections_are_the_product_written_out():
    basis = HouseholderProduct(3, 4)
    raw = torch.randn(4, 3, dtype=torch.float64)
    expected = torch.eye(3, dtype=torch.float64)
    for k in range(4):
        v = raw[k] + torch.eye(3, dtype=torch.float64)[k % 3]
        expected = expected @ (torch.eye(3, dtype=torch.float64) - 2 * torch.outer(v, v) / v.dot(v))
    torch.testing.assert_close(dense(basis, raw.flatten()), expected)


@pytest.mark.parametrize("basis", [OrthonormalColumns(4, 2), HouseholderProduct(4, 3)])
def test_every_member_of_a_batch_has_its_own(basis):
    parameters, x = torch.randn(3, basis.num_parameters).double(), torch.randn(3, 5, 4).double()
    project, embed = basis(parameters[:, None])
    for i in range(3):
        project_one, embed_one = basis(parameters[i])
        torch.testing.assert_close(project(x)[i], project_one(x[i]))
        torch.testing.assert_close(embed(project(x))[i], embed_one(project_one(x[i])))


def test_permuted_axes_take_their_order_from_a_checkpoint():
    source, target = PermutedAxes([2, 0, 1]), PermutedAxes([0, 1, 2])
    target.load_state_dict(copy.deepcopy(source.state_dict()))
    x = torch.randn(4, 3)
    project, embed = target(torch.zeros(0))
    assert torch.equal(project(x), x[:, [2, 0, 1]]) and torch.equal(embed(project(x)), x)


def test_errors_say_what_was_expected():
    with pytest.raises(UserError, match="rank from 1 to 3, got 4"):
        OrthonormalColumns(3, 4)
    with pytest.raises(UserError, match="at least 1 reflection, got 0"):
        HouseholderProduct(3, 0)
    with pytest.raises(UserError, match=r"permutation of 0 … 2, got \[0, 0, 1\]"):
        PermutedAxes([0, 0, 1])

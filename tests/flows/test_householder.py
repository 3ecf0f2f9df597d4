import pytest
import torch

from wavegen.flows.householder import Householder


@pytest.mark.parametrize("count", [0, 1, 2, 5, 9])
def test_householder_is_the_product_of_its_reflections(count):
    torch.manual_seed(0)
    rotation = Householder(5, count).double()
    torch.nn.init.normal_(rotation.vectors)
    rows = torch.randn(4, 5).double()
    q = torch.eye(5).double()
    for v in rotation.vectors.detach():
        q = q @ (torch.eye(5).double() - 2 * torch.outer(v, v) / (v @ v))
    torch.testing.assert_close(rotation.multiply(rows), rows @ q.mT, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(rotation.solve(rows), rows @ q, rtol=1e-12, atol=1e-12)


def test_householder_stays_orthogonal_where_reflections_coincide_or_vanish():
    rotation = Householder(5, 200)
    with torch.no_grad():
        rotation.vectors.copy_(rotation.vectors[:1] + 1e-4 * torch.randn(200, 5))
        rotation.vectors[::7] = 0.0
        rotation.vectors[1::7] *= 1e-15
        q = rotation.multiply(torch.eye(5))
    torch.testing.assert_close(q @ q.mT, torch.eye(5), rtol=0, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_it_starts_as_the_identity_or_one_reflection(count):
    """Reflections come in equal pairs, each of which is its own undoing."""
    q = Householder(4, count).double().multiply(torch.eye(4, dtype=torch.float64))
    expected = 1.0 if count % 2 == 0 else -1.0
    torch.testing.assert_close(torch.linalg.det(q).item(), expected)
    if count % 2 == 0:
        torch.testing.assert_close(q, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-14)

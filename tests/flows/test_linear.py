import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.flows import Diagonal, LULinear, QRLinear, Triangular

EVERY = pytest.mark.parametrize("layer", [Diagonal, Triangular, LULinear, QRLinear])


def dense(layer):
    """W as the formula in the class's docstring writes it, factor by factor."""
    if isinstance(layer, Diagonal):
        return torch.diag(layer.log_scale.exp())
    if isinstance(layer, Triangular):
        return layer.packed.tril(-1) + torch.diag(layer.packed.diagonal().exp())
    if isinstance(layer, LULinear):
        factors, identity = layer.factors, torch.eye(layer.num_channels).to(layer.factors.packed)
        lower = identity + factors.packed.tril(-1)
        upper = factors.packed.triu(1) + torch.diag(factors.sign * factors.packed.diagonal().exp())
        return identity[factors.order] @ lower @ upper
    upper = layer.packed.triu(1) + torch.diag(layer.packed.diagonal().exp())
    return reflections(layer.rotation.vectors) @ upper


def reflections(vectors):
    product = torch.eye(vectors.shape[1]).to(vectors)
    for v in vectors:
        product = product @ (torch.eye(len(v)).to(v) - 2 * torch.outer(v, v) / (v @ v))
    return product


def perturbed(layer, size=0.3):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    return layer


@EVERY
def test_it_is_the_product_with_its_dense_matrix(layer):
    torch.manual_seed(0)
    layer = perturbed(layer(6).double())
    x = torch.randn(2, 3, 6).double()
    weight = dense(layer)
    z, log_det = layer(x)
    torch.testing.assert_close(z, x @ weight.mT, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(log_det, torch.linalg.slogdet(weight)[1].expand(2, 3), rtol=0, atol=1e-12)
    expected = torch.linalg.solve(weight, z[..., None])[..., 0]
    torch.testing.assert_close(layer.inverse(z)[0], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layer", [Diagonal, Triangular, QRLinear])
def test_starts_as_the_identity(layer):
    torch.manual_seed(0)
    x = torch.randn(3, 6).double()
    z, log_det = layer(6).double()(x)
    torch.testing.assert_close(z, x, rtol=0, atol=1e-12)
    assert torch.equal(log_det, torch.zeros(3).double())


def test_lu_starts_as_a_rotation():
    torch.manual_seed(0)
    weight = dense(LULinear(30))
    torch.testing.assert_close(weight @ weight.mT, torch.eye(30), rtol=0, atol=1e-5)


@EVERY
def test_float32_round_trip_of_an_image_sized_vector(layer):
    torch.manual_seed(0)
    layer = perturbed(layer(256), 0.003)
    x = torch.randn(8, 256)
    torch.testing.assert_close(layer.inverse(layer(x)[0])[0], x, rtol=0, atol=3e-4)


@EVERY
def test_autocast_leaves_value_and_term_in_float32(layer):
    torch.manual_seed(0)
    layer = perturbed(layer(8))
    x = torch.randn(4, 8)
    z, _ = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast, log_det = layer(x)
        returned, _ = layer.inverse(cast)
    assert log_det.dtype == torch.float32 and torch.equal(cast, z)
    torch.testing.assert_close(returned, x, rtol=0, atol=1e-4)


@EVERY
@pytest.mark.parametrize("parameters", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("values", [torch.bfloat16, torch.float32, torch.float64])
def test_results_are_of_the_values_type_and_float32_at_least(layer, parameters, values):
    torch.manual_seed(0)
    layer = layer(4).to(parameters)
    expected = torch.promote_types(values, torch.float32)
    for direction in (layer, layer.inverse):
        value, log_det = direction(torch.randn(2, 4).to(values))
        assert value.dtype == log_det.dtype == expected


@EVERY
@settings(deadline=None, max_examples=15)
@given(batch=st.lists(st.integers(1, 3), max_size=3), features=st.integers(1, 5))
def test_any_shape(layer, batch, features):
    torch.manual_seed(0)
    layer = perturbed(layer(features).double())
    x = torch.randn(*batch, features).double()
    z, log_det = layer(x)
    assert z.shape == x.shape and log_det.shape == tuple(batch)
    torch.testing.assert_close(layer.inverse(z)[0], x, rtol=1e-8, atol=1e-8)


@EVERY
def test_wrong_number_of_features(layer):
    layer = layer(3)
    for call in (layer, layer.inverse):
        with pytest.raises(UserError, match=r"expected events of shape \(3\), got shape \(2, 4\)"):
            call(torch.randn(2, 4))
    with pytest.raises(UserError, match=r"expected events of shape \(3\), got shape \(5,\)"):
        layer.forward_shape((5,))


def test_a_negative_number_of_reflections():
    with pytest.raises(UserError, match="at least 0 Householder reflections, got -1"):
        QRLinear(3, num_householder=-1)

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.flows import InvertibleConvolution, LUConvolution
from wavegen.flows.factorisation import random_rotation

BOTH = pytest.mark.parametrize("layer", [InvertibleConvolution, LUConvolution])


def dense(layer):
    """W as the formula in the class's docstring writes it."""
    if isinstance(layer, InvertibleConvolution):
        return layer.weight
    factors = layer.factors
    permutation = torch.eye(len(factors.order), dtype=factors.packed.dtype)[factors.order]
    lower = torch.eye(len(factors.order), dtype=factors.packed.dtype) + factors.packed.tril(-1)
    upper = factors.packed.triu(1) + torch.diag(factors.sign * factors.packed.diagonal().exp())
    return permutation @ lower @ upper


def perturbed(layer, size=0.3):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    return layer


@BOTH
def test_it_is_the_convolution_with_its_dense_weight(layer):
    torch.manual_seed(0)
    layer = perturbed(layer(5).double())
    x = torch.randn(3, 5, 2, 4).double()
    weight = dense(layer)
    z, log_det = layer(x)
    torch.testing.assert_close(z, torch.nn.functional.conv2d(x, weight[:, :, None, None]))
    torch.testing.assert_close(log_det, (8 * torch.linalg.slogdet(weight)[1]).expand(3))
    returned, _ = layer.inverse(z)
    expected = torch.nn.functional.conv2d(z, torch.linalg.inv(weight)[:, :, None, None])
    torch.testing.assert_close(returned, expected)


@BOTH
def test_starts_as_a_rotation(layer):
    torch.manual_seed(0)
    layer = layer(6)
    weight = dense(layer)
    torch.testing.assert_close(weight @ weight.mT, torch.eye(6), rtol=0, atol=1e-5)
    assert layer(torch.randn(2, 6, 3, 3))[1].abs().max() < 1e-4


@BOTH
def test_float32_round_trips_through_many_layers(layer):
    torch.manual_seed(0)
    layers = [layer(48) for _ in range(24)]
    x = value = torch.randn(2, 48, 4, 4)
    for each in layers:
        value, _ = each(value)
    for each in reversed(layers):
        value, _ = each.inverse(value)
    torch.testing.assert_close(value, x, rtol=0, atol=2e-5)


@BOTH
def test_autocast_leaves_value_and_term_in_float32(layer):
    torch.manual_seed(0)
    layer = layer(8)
    x = torch.randn(2, 8, 4, 4)
    plain, _ = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, log_det = layer(x)
    assert log_det.dtype == torch.float32 and torch.equal(z, plain)


@BOTH
@settings(deadline=None, max_examples=20)
@given(batch=st.lists(st.integers(1, 3), max_size=2), event=st.tuples(*[st.integers(1, 4)] * 3))
def test_any_shape(layer, batch, event):
    torch.manual_seed(0)
    layer = layer(event[0]).double()
    # a strided view, as a split or a squeeze leaves it
    x = torch.randn(*batch, *event[:2], 2 * event[2]).double()[..., ::2]
    z, log_det = layer(x)
    assert z.shape == x.shape and log_det.shape == tuple(batch)
    torch.testing.assert_close(layer.inverse(z)[0], x, rtol=1e-9, atol=1e-9)


@BOTH
def test_wrong_number_of_channels(layer):
    layer = layer(3)
    for call in (layer, layer.inverse):
        with pytest.raises(UserError, match=r"expected events of shape \(3, …, …\), got shape \(2, 4"):
            call(torch.randn(2, 4, 5, 5))
    with pytest.raises(UserError, match=r"got shape \(5, 3, 3\)"):
        layer.inverse_shape((5, 3, 3))


@pytest.mark.cpu("forward does not look for singular matrices on an accelerator")
@pytest.mark.parametrize("rank", [0, 1, 3])
def test_a_singular_weight(rank):
    torch.manual_seed(0)
    layer = InvertibleConvolution(4)
    with torch.no_grad():
        # of deficient rank to rounding only: no pivot is 0 exactly
        layer.weight.copy_(torch.randn(4, rank) @ torch.randn(rank, 4))
    layer.double()
    with torch.no_grad():
        u, s, v = torch.linalg.svd(layer.weight)
        layer.weight.copy_(u[:, :rank] * s[:rank] @ v[:rank])
    for call in (layer, layer.inverse):
        with pytest.raises(UserError, match="expected a weight of full rank, got a singular 4 × 4"):
            call(torch.randn(2, 4, 3, 3).double())


@pytest.mark.cpu("forward does not look for singular matrices on an accelerator")
def test_a_weight_that_is_no_number():
    layer = InvertibleConvolution(3)
    with torch.no_grad():
        layer.weight[1, 1] = float("nan")
    with pytest.raises(UserError, match="expected a weight of full rank"):
        layer(torch.randn(2, 3, 2, 2))


@pytest.mark.cpu("calls a helper of constructors, which makes CPU tensors")
def test_an_ill_conditioned_weight_is_not_taken_for_a_singular_one():
    torch.manual_seed(0)
    layer = InvertibleConvolution(4).double()
    with torch.no_grad():
        layer.weight.copy_(random_rotation(4) @ torch.diag(torch.tensor([1.0, 1e-3, 1e-6, 1e-9]).double()))
    x = torch.randn(2, 4, 2, 2).double()
    torch.testing.assert_close(layer.inverse(layer(x)[0])[0], x, rtol=0, atol=1e-5)


@BOTH
def test_the_inverse_that_is_kept_follows_the_parameters(layer):
    layer = perturbed(layer(6))
    z = torch.randn(2, 6, 3, 3)
    with torch.no_grad():
        first, again = layer.inverse(z)[0], layer.inverse(z)[0]
    assert torch.equal(first, again)
    # fused, since such an optimiser changes parameters behind the back of torch's count of their changes
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.05, fused=True)
    layer(z)[0].square().sum().backward()
    optimiser.step()
    with torch.no_grad():
        x, log_det = layer.inverse(z)
        round_trip, forward_log_det = layer(x)
    assert not torch.allclose(x, first)
    torch.testing.assert_close(round_trip, z, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(log_det, -forward_log_det)
    assert layer.inverse(z)[0].requires_grad
    layer.double()
    with torch.no_grad():
        torch.testing.assert_close(layer(layer.inverse(z.double())[0])[0], z.double())
    if isinstance(layer, LUConvolution):
        fixed = LUConvolution(6)
        with torch.no_grad():
            before = fixed.inverse(z)[0]
            fixed.load_state_dict(layer.float().state_dict())
            torch.testing.assert_close(fixed(fixed.inverse(z)[0])[0], z, rtol=1e-4, atol=1e-4)
            assert not torch.allclose(fixed.inverse(z)[0], before)

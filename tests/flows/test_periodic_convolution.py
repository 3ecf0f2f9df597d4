import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.flows import PeriodicConvolution


def random_taps(layer, size=0.1):
    with torch.no_grad():
        layer.kernel.add_(size * torch.randn_like(layer.kernel))
    return layer


def directly(kernel, x):
    """The convolution by its sum, an image shifted for every tap."""
    reach = kernel.shape[-1] // 2
    z = torch.zeros_like(x)
    for i in range(kernel.shape[-1]):
        for j in range(kernel.shape[-1]):
            shifted = x.roll((reach - i, reach - j), dims=(-2, -1))
            z += torch.einsum("oc,...chw->...ohw", kernel[:, :, i, j], shifted)
    return z


# images smaller than the kernel wrap around more than once
@pytest.mark.parametrize("height, width", [(4, 6), (5, 3), (6, 5), (1, 2), (2, 1)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_it_is_the_direct_circular_convolution(height, width, kernel_size):
    torch.manual_seed(0)
    layer = random_taps(PeriodicConvolution(3, height, width, kernel_size).double())
    x = torch.randn(2, 3, height, width).double()
    z, log_det = layer(x)
    torch.testing.assert_close(z, directly(layer.kernel, x), rtol=1e-11, atol=1e-11)
    basis = torch.eye(3 * height * width).double().view(-1, 3, height, width)
    matrix = directly(layer.kernel, basis).flatten(1).mT
    torch.testing.assert_close(log_det, torch.linalg.slogdet(matrix)[1].expand(2), rtol=0, atol=1e-10)
    expected = torch.linalg.solve(matrix, z.flatten(1).mT).mT.view(x.shape)
    torch.testing.assert_close(layer.inverse(z)[0], expected, rtol=1e-9, atol=1e-9)


def test_against_conv2d_with_circular_padding():
    torch.manual_seed(0)
    layer = random_taps(PeriodicConvolution(4, 8, 8).double())
    x = torch.randn(2, 4, 8, 8).double()
    padded = torch.nn.functional.pad(x, [1] * 4, mode="circular")
    torch.testing.assert_close(layer(x)[0], torch.nn.functional.conv2d(padded, layer.kernel))


def test_a_shifted_image_gives_a_shifted_one():
    torch.manual_seed(0)
    layer = random_taps(PeriodicConvolution(3, 4, 5))
    x = torch.randn(2, 3, 4, 5)
    shifted, _ = layer(x.roll((1, 2), dims=(-2, -1)))
    torch.testing.assert_close(shifted, layer(x)[0].roll((1, 2), dims=(-2, -1)))


def test_starts_as_a_rotation():
    torch.manual_seed(0)
    layer = PeriodicConvolution(5, 4, 4)
    x = torch.randn(2, 5, 4, 4)
    z, log_det = layer(x)
    torch.testing.assert_close(z.square().sum(1), x.square().sum(1))
    assert log_det.abs().max() < 1e-5


def test_float32_round_trip_of_an_image():
    torch.manual_seed(0)
    layer = random_taps(PeriodicConvolution(12, 16, 16), 0.03)
    x = torch.randn(4, 12, 16, 16)
    z, log_det = layer(x)
    assert z.dtype == log_det.dtype == torch.float32
    torch.testing.assert_close(layer.inverse(z)[0], x, rtol=0, atol=2e-5)


def test_autocast_leaves_value_and_term_in_float32():
    torch.manual_seed(0)
    layer = random_taps(PeriodicConvolution(3, 4, 4))
    x = torch.randn(2, 3, 4, 4)
    z, _ = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast, log_det = layer(x)
    assert log_det.dtype == torch.float32 and torch.equal(cast, z)


@pytest.mark.cpu("forward does not look for singular matrices on an accelerator")
def test_a_kernel_that_loses_a_frequency():
    layer = PeriodicConvolution(1, 4, 4).double()
    with torch.no_grad():
        layer.kernel.copy_(torch.tensor([[0.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    # differences along a row: the mean is lost
    for call in (layer, layer.inverse):
        with pytest.raises(UserError, match="PeriodicConvolution: expected a weight of full rank, got a"):
            call(torch.randn(2, 1, 4, 4).double())


@pytest.mark.cpu("forward does not look for singular matrices on an accelerator")
def test_a_matrix_of_one_frequency_that_is_singular():
    torch.manual_seed(0)
    layer = random_taps(PeriodicConvolution(3, 4, 4).double())
    with torch.no_grad():
        layer.kernel[:, :, 1, 1] -= layer.kernel.sum((2, 3))  # f = 0 sees the sum of all taps
        layer.kernel[:, :, 1, 1] += torch.diag(torch.tensor([1.0, 1.0, 0.0]).double())
    with pytest.raises(UserError, match="got a singular 3 × 3 matrix"):
        layer(torch.randn(2, 3, 4, 4).double())


@settings(deadline=None, max_examples=20)
@given(batch=st.lists(st.integers(1, 3), max_size=2), event=st.tuples(*[st.integers(1, 4)] * 3))
def test_any_shape(batch, event):
    torch.manual_seed(0)
    layer = random_taps(PeriodicConvolution(*event).double(), 0.03)
    x = torch.randn(*batch, *event).double()
    z, log_det = layer(x)
    assert z.shape == x.shape and log_det.shape == tuple(batch)
    torch.testing.assert_close(layer.inverse(z)[0], x, rtol=1e-8, atol=1e-8)


def test_wrong_shapes():
    layer = PeriodicConvolution(3, 4, 5)
    whole = r"\(3, 4, 5\)"
    for shape, wanted in [((4, 4, 5), r"\(3, …, …\)"), ((3, 5, 5), whole), ((3, 4, 4), whole)]:
        for call in (layer, layer.inverse):
            with pytest.raises(UserError, match=f"expected events of shape {wanted}, got shape"):
                call(torch.randn(2, *shape))
        with pytest.raises(UserError, match=f"expected events of shape {wanted}, got shape"):
            layer.inverse_shape(shape)
    with pytest.raises(UserError, match="expected an odd kernel size, got 4"):
        PeriodicConvolution(3, 4, 4, kernel_size=4)
    with pytest.raises(UserError, match="expected a height and width, got 0 and 4"):
        PeriodicConvolution(3, 0, 4)

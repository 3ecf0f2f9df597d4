import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.flows import AutoregressiveConvolution, Compose, EmergingConvolution, LUConvolution, Reversal


def random_taps(layer, size=0.3):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(size * torch.randn_like(parameter))
    return layer


def jacobian(function, shape):
    """∂z/∂x at a random x, both with indices (channel, row, column)."""
    return torch.autograd.functional.jacobian(lambda x: function(x[None])[0][0], torch.randn(*shape).double())


def sees(channels, height, width, reach):
    """Whether z[c, h, w] may see x[d, i, j]: in its window, and not after it by row, column, channel."""
    seen = torch.zeros(channels, height, width, channels, height, width, dtype=torch.bool)
    for c, h, w, d, i, j in itertools.product(*map(range, seen.shape)):
        in_window = abs(i - h) <= reach and abs(j - w) <= reach
        seen[c, h, w, d, i, j] = in_window and (i, j, d) <= (h, w, c)
    return seen


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_a_factor_sees_exactly_what_comes_before_it(kernel_size):
    torch.manual_seed(0)
    layer = random_taps(AutoregressiveConvolution(2, kernel_size).double())
    gradients = jacobian(layer, (2, 4, 3))
    assert torch.equal(gradients != 0, sees(2, 4, 3, kernel_size // 2))


def test_the_other_factor_sees_exactly_what_comes_after_it():
    torch.manual_seed(0)
    members = random_taps(EmergingConvolution(2).double()).members
    gradients = jacobian(Compose(*list(members)[1:]), (2, 4, 3))
    assert torch.equal(gradients != 0, sees(2, 4, 3, 1).permute(3, 4, 5, 0, 1, 2))
    assert [type(member) for member in members] == [AutoregressiveConvolution, Reversal] * 2


def test_together_they_see_a_whole_kernel():
    torch.manual_seed(0)
    gradients = jacobian(random_taps(EmergingConvolution(2).double()), (2, 5, 5))
    assert (gradients[:, 2, 2][:, :, 1:4, 1:4] != 0).all()


def test_the_diagonal_is_that_of_the_centre_tap():
    torch.manual_seed(0)
    layer = random_taps(AutoregressiveConvolution(3).double())
    gradients = jacobian(layer, (3, 2, 2)).reshape(12, 12)
    expected = layer.kernel[:, :, 1, 1].diagonal().exp().repeat_interleave(4)
    torch.testing.assert_close(gradients.diagonal(), expected)


@pytest.mark.parametrize("layer", [AutoregressiveConvolution, EmergingConvolution])
def test_the_inverse_is_the_solve_with_the_dense_matrix(layer):
    torch.manual_seed(0)
    layer = random_taps(layer(3, 5).double())
    matrix = jacobian(layer, (3, 4, 4)).reshape(48, 48)
    z = torch.randn(5, 3, 4, 4).double()
    expected = torch.linalg.solve(matrix, z.flatten(1).mT).mT
    x, log_det = layer.inverse(z)
    torch.testing.assert_close(x.flatten(1), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(log_det, -torch.linalg.slogdet(matrix)[1].expand(5), rtol=0, atol=1e-10)


def test_starts_as_the_identity():
    x = torch.randn(2, 3, 4, 5)
    z, log_det = EmergingConvolution(3)(x)
    assert torch.equal(z, x) and torch.equal(log_det, torch.zeros(2))


def test_composes_with_a_convolution_in_front():
    torch.manual_seed(0)
    flow = Compose(LUConvolution(12), random_taps(EmergingConvolution(12), 0.02))
    x = torch.randn(4, 12, 16, 16)
    z, log_det = flow(x)
    returned, back = flow.inverse(z)
    torch.testing.assert_close(returned, x, rtol=0, atol=1e-4)
    torch.testing.assert_close(back, -log_det)


def test_autocast_leaves_value_and_term_in_float32():
    torch.manual_seed(0)
    layer = random_taps(EmergingConvolution(3), 0.1)
    x = torch.randn(2, 3, 4, 4)
    z, _ = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast, log_det = layer(x)
        returned, _ = layer.inverse(cast)
    assert torch.equal(cast, z) and log_det.dtype == torch.float32
    torch.testing.assert_close(returned, x, rtol=0, atol=1e-4)


@settings(deadline=None, max_examples=25)
@given(
    batch=st.lists(st.integers(1, 3), max_size=2),
    event=st.tuples(*[st.integers(1, 4)] * 3),
    kernel_size=st.sampled_from([1, 3, 5]),
)
def test_any_shape(batch, event, kernel_size):
    """Images smaller than the kernel among them."""
    torch.manual_seed(0)
    layer = random_taps(EmergingConvolution(event[0], kernel_size).double(), 0.2)
    x = torch.randn(*batch, *event).double()
    z, log_det = layer(x)
    assert z.shape == x.shape and log_det.shape == tuple(batch)
    torch.testing.assert_close(layer.inverse(z)[0], x, rtol=1e-8, atol=1e-8)


def test_wrong_number_of_channels_and_even_kernels():
    layer = EmergingConvolution(3)
    for call in (layer, layer.inverse):
        with pytest.raises(UserError, match=r"expected events of shape \(3, …, …\), got shape \(2, 4"):
            call(torch.randn(2, 4, 5, 5))
    with pytest.raises(UserError, match=r"got shape \(4, 5, 5\)"):
        layer.forward_shape((4, 5, 5))
    with pytest.raises(UserError, match="AutoregressiveConvolution: expected an odd kernel size, got 2"):
        EmergingConvolution(3, kernel_size=2)

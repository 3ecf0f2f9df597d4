import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import (
    Affine,
    Compose,
    Elementwise,
    FactorOut,
    Flow,
    Reshape,
    Sigmoid,
    Slice,
    Squeeze,
    StandardLogistic,
    StandardNormal,
    StandardUniform,
)


def test_squeeze_puts_cells_row_by_row_into_channels():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    z, _ = Squeeze()(x)
    assert z.shape == (1, 4, 2, 2)
    assert z[0, :, 0, 1].tolist() == [2, 3, 6, 7]


def test_what_leaves_is_not_touched_by_the_inner_bijection():
    inner = Compose(Squeeze(), Elementwise(transform=Affine(), shape=(8, 2, 2), initial_std=1.0))
    layer = FactorOut(inner)
    x = torch.randn(2, 4, 4, 4)
    z, log_det = layer(x)
    assert z.shape == (2, 16, 2, 2)
    torch.testing.assert_close(Squeeze().inverse(z[:, 8:])[0], x[:, 2:], rtol=0, atol=0)
    kept, inner_log_det = inner(x[:, :2])
    assert torch.equal(z[:, :8], kept)
    torch.testing.assert_close(log_det, inner_log_det)


def test_the_same_model_takes_images_of_any_size():
    flow = Compose(Squeeze(), FactorOut(Compose(Squeeze(), Sigmoid())))
    for size in (4, 8):
        x = torch.randn(2, 1, size, size)
        torch.testing.assert_close(flow.inverse(flow(x)[0])[0], x, rtol=1e-5, atol=1e-5)


def test_a_flow_knows_the_shape_of_its_data():
    shapes = Compose(Squeeze(), FactorOut(Squeeze()), Reshape((16, 1, 1), (16,)))
    distribution = Flow(bijection=shapes, base=StandardNormal((16,)))()
    assert distribution.event_shape == (1, 4, 4)
    assert distribution.sample((3,)).shape == (3, 1, 4, 4)
    assert distribution.log_prob(torch.randn(3, 1, 4, 4)).shape == (3,)
    with pytest.raises(UserError, match=r"events of shape \(1, 4, 4\), got a value of shape \(3, 1, 4, 6\)"):
        distribution.log_prob(torch.randn(3, 1, 4, 6))


def test_temperature_scales_the_noise():
    flow = Flow(bijection=Squeeze(), base=StandardNormal((4, 2, 2)))
    torch.manual_seed(0)
    warm = flow().sample((3,))
    torch.manual_seed(0)
    torch.testing.assert_close(flow().sample((3,), temperature=0.5), 0.5 * warm)
    with pytest.raises(UserError, match="expected temperature 1 over a base whose mean is not 0, got 0.5"):
        Flow(bijection=Sigmoid().inv, base=StandardUniform((2,)))().sample(temperature=0.5)
    Flow(bijection=Sigmoid(), base=StandardLogistic((2,)))().sample(temperature=0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Squeeze()(torch.zeros(1, 1, 3, 4)), "expected a height and width divisible by 2, got 3 × 4"),
        (lambda: Squeeze().inverse(torch.zeros(1, 3, 2, 2)), "expected channels divisible by 4, got 3"),
        (lambda: Squeeze().forward_shape((4, 4)), "at least 3 dimensions"),
        (lambda: FactorOut(Squeeze())(torch.zeros(1, 3, 4, 4)), "expected an even number of channels, got 3"),
        (
            lambda: FactorOut(Reshape((1, 4, 4), (16,))),
            "to images, got one from rank 3 to rank 1",
        ),
        (lambda: FactorOut(Squeeze())(torch.zeros(2, 4)), "FactorOut: .* at least 3 dimensions, got shape"),
        (lambda: FactorOut(Squeeze()).inverse(torch.zeros(4)), "FactorOut: .* at least 3 dimensions"),
        (
            lambda: FactorOut(Slice(2, 2, prior=StandardNormal((2, 4, 4)), event_dim=3)),
            "expected an inner bijection, got Slice",
        ),
        (lambda: Flow(bijection=Squeeze(), base=StandardNormal((3, 2, 2))), "divisible by 4, got 3"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_squeeze_by_another_factor():
    x = torch.arange(36.0).reshape(1, 1, 6, 6)
    z, _ = Squeeze(3)(x)
    assert z.shape == (1, 9, 2, 2)
    assert z[0, :, 1, 0].tolist() == [18, 19, 20, 24, 25, 26, 30, 31, 32]
    assert torch.equal(Squeeze(3).inverse(z)[0], x)
    with pytest.raises(UserError, match="divisible by 3, got 4 × 6"):
        Squeeze(3)(torch.zeros(1, 4, 6))
    with pytest.raises(UserError, match="expected at least 2, got 1"):
        Squeeze(1)


@pytest.mark.parametrize("factors", [(3,), (2, 3), (6,), (5,)])
def test_factored_out_channels_follow_any_squeeze(factors):
    side = 30
    layer = FactorOut(Compose(*map(Squeeze, factors), Sigmoid()))
    x = torch.randn(2, 4, side, side)
    z, _ = layer(x)
    assert z.shape[1:] == layer.forward_shape(x.shape[1:])
    torch.testing.assert_close(layer.inverse(z)[0], x, rtol=1e-5, atol=1e-5)

import pytest
import torch
from torch.nn import functional

from wavegen.nets.gated_layer import LayerConditioning
from wavegen.nets.residual_layer import GatedResidualLayer, on_a_copy, pointwise, run_layers

BATCH, TIME, RESIDUAL, GATE, SKIP, CONDITIONING = 2, 11, 3, 8, 4, 5


def layer(dilation=2, skip_channels=SKIP):
    made = GatedResidualLayer(
        residual_channels=RESIDUAL,
        gate_channels=GATE,
        skip_channels=skip_channels,
        conditioning_channels=CONDITIONING,
        kernel_size=3,
        dilation=dilation,
    )
    return made.double()


def conditioning_of(made, samples):
    return LayerConditioning(samples=samples, weight=made.conditioning.weight.flatten(1))


def by_the_formula(made, x, c):
    """The docstring's equations, channels first."""
    x, c = x.mT, c.mT
    padded = functional.pad(x, (made.past, 0))
    hidden = functional.conv1d(padded, made.dilated.weight, made.dilated.bias, dilation=made.dilated.dilation)
    hidden = hidden + functional.conv1d(c, made.conditioning.weight)
    a, b = hidden.chunk(2, dim=1)
    out = functional.conv1d(a.tanh() * b.sigmoid(), made.output.weight, made.output.bias)
    return (x + out[:, :RESIDUAL]).mT, out[:, RESIDUAL:].mT


@pytest.fixture
def inputs():
    x = torch.randn(BATCH, TIME, RESIDUAL, dtype=torch.float64)
    return x, torch.randn(BATCH, TIME, CONDITIONING, dtype=torch.float64)


def test_layers_in_series_follow_the_formula(inputs):
    x, c = inputs
    first, second = layer(dilation=1), layer(dilation=2)
    pairs = [(made, conditioning_of(made, c)) for made in (first, second)]
    stream, skips = run_layers(pairs, torch.float64, x.clone())
    between, first_skips = by_the_formula(first, x, c)
    expected, second_skips = by_the_formula(second, between, c)
    torch.testing.assert_close(stream, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(skips, first_skips + second_skips, rtol=1e-12, atol=1e-12)


def test_steps_equal_the_whole(inputs):
    x, c = inputs
    made = layer()
    whole, skips = by_the_formula(made, x, c)
    padded = functional.pad(x.mT, (made.past, 0))
    for t in range(TIME):
        taps = padded[:, :, t : t + made.past + 1 : 2]
        out, skip = made.step(x[:, t], taps, c[:, t])
        torch.testing.assert_close(out, whole[:, t], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(skip, skips[:, t], rtol=1e-12, atol=1e-12)


def test_a_layer_without_skips_has_none(inputs):
    x, c = inputs
    made = layer(skip_channels=0)
    stream, skips = run_layers([(made, conditioning_of(made, c))], torch.float64, x.clone())
    assert skips is None and stream.shape == x.shape
    assert made.step(x[:, 0], x[:, :3].mT.contiguous(), c[:, 0])[1] is None


def test_a_copy_leaves_the_stream_as_it_was(inputs):
    x, c = inputs
    made, before = layer(), x.clone()
    on_a_copy(lambda stream: run_layers([(made, conditioning_of(made, c))], torch.float64, stream))(x)
    assert torch.equal(x, before)


def test_pointwise_is_a_convolution_of_kernel_one(inputs):
    x, _ = inputs
    convolution = torch.nn.Conv1d(RESIDUAL, 7, 1).double()
    torch.testing.assert_close(pointwise(convolution, x), convolution(x.mT).mT, rtol=1e-12, atol=1e-12)

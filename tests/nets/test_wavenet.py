import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from wavegen.linguistics.context import SpeechContext
from wavegen.nets.conditioning import FrameConditioning
from wavegen.nets.linear_prediction import LinearPrediction
from wavegen.nets.wavenet import WaveNet, dilation_cycles


def wavenet(kernel_size=2, dilations=(1, 2, 4), skip_channels=3, conditioning=(), num_parameters=4):
    net = WaveNet(
        num_parameters=num_parameters,
        dilations=dilations,
        kernel_size=kernel_size,
        residual_channels=5,
        gate_channels=6,
        skip_channels=skip_channels,
        output_channels=7,
        conditioning=conditioning,
    ).double()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return net


def test_dilation_cycles():
    assert dilation_cycles(7, 3) == [1, 2, 4, 1, 2, 4, 1]


@pytest.mark.parametrize("skip_channels", [0, 3])
@pytest.mark.parametrize("kernel_size", [1, 2, 3])
def test_gradients_reach_exactly_the_receptive_field(kernel_size, skip_channels):
    torch.manual_seed(0)
    net = wavenet(kernel_size=kernel_size, skip_channels=skip_channels)
    time = 40
    x = torch.randn(1, time, dtype=torch.float64, requires_grad=True)
    net(x)[0, 30].sum().backward()
    touched = (x.grad[0] != 0).nonzero().squeeze(-1)
    assert touched.max() == 29, "strictly causal, and the sample just before counts"
    assert touched.min() == 30 - net.receptive_field


@settings(deadline=None, max_examples=25)
@given(
    kernel_size=st.integers(1, 3),
    dilations=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    skip_channels=st.sampled_from([0, 3]),
    batch=st.integers(1, 3),
    taps=st.sampled_from([0, 3]),
)
def test_step_form_equals_the_parallel_forward(kernel_size, dilations, skip_channels, batch, taps):
    torch.manual_seed(0)
    part = FrameConditioning(in_channels=2, channels=3, hop_samples=4, hidden_channels=4)
    net = wavenet(kernel_size, dilations, skip_channels, [part])
    if taps:
        net = LinearPrediction(conditioner=net, shift_loc=lambda p, d: p + d[..., None], order=taps).double()
        torch.nn.init.normal_(net.taps)
    x = torch.randn(batch, 20, dtype=torch.float64)
    context = SpeechContext(features=torch.randn(batch, 2, 5, dtype=torch.float64))
    expected = net(x, context)
    projected, state = net.project_context(context, 20), net.initial_state(batch)
    previous = torch.zeros(batch, dtype=torch.float64)
    for t in range(20):
        parameters, state = net.step(previous, projected[:, :, t], state)
        torch.testing.assert_close(parameters, expected[:, t], rtol=1e-10, atol=1e-10)
        previous = x[:, t]


def test_unequal_lengths_in_a_batch_are_as_alone():
    torch.manual_seed(0)
    net = wavenet(conditioning=[FrameConditioning(in_channels=2, channels=3, hop_samples=4)])
    short, long = (torch.randn(1, n, dtype=torch.float64) for n in (12, 20))
    features = [torch.randn(1, 2, n // 4, dtype=torch.float64) for n in (12, 20)]
    alone = net(short, SpeechContext(features=features[0]))
    padded = torch.cat([features[0], features[0][..., -1:].expand(-1, -1, 2)], dim=-1)
    together = net(
        torch.cat([torch.nn.functional.pad(short, (0, 8)), long]),
        SpeechContext(features=torch.cat([padded, features[1]])),
    )
    torch.testing.assert_close(together[:1, :12], alone)


def test_input_dropout_acts_only_while_training():
    torch.manual_seed(0)
    net = WaveNet(num_parameters=2, dilations=[1, 2], input_dropout=0.5)
    x = torch.randn(1, 50)
    assert not torch.equal(net.train()(x), net.train()(x))
    assert torch.equal(net.eval()(x), net.eval()(x))


def gradients_and_kept_bytes(net, x, context):
    """Gradients by the weights and the input, and the bytes that the forward pass kept for them."""
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = net(x, context)
    wanted = [x, *net.parameters()]
    return torch.autograd.grad(result.square().mean(), wanted), sum(kept.values())


@pytest.mark.parametrize("skip_channels", [0, 16])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_checkpointing_changes_memory_and_nothing_else(skip_channels, precision):
    torch.manual_seed(0)
    net = WaveNet(
        num_parameters=2,
        dilations=dilation_cycles(9, 5),
        residual_channels=16,
        gate_channels=32,
        skip_channels=skip_channels,
        output_channels=16,
        conditioning=[FrameConditioning(in_channels=2, channels=3, hop_samples=40)],
        input_dropout=0.3,
    ).train()
    x, context = torch.randn(2, 2000, requires_grad=True), SpeechContext(features=torch.randn(2, 2, 50))
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        expected, all_bytes = gradients_and_kept_bytes(net, x, context)
        net.checkpoint_layers = 3
        found, fewer_bytes = gradients_and_kept_bytes(net, x, context)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert fewer_bytes < 0.6 * all_bytes
    assert "checkpoint_layers" not in net.state_dict()

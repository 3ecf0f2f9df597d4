import pytest
import torch

from wavegen.benchmark.plain import PlainWaveNet
from wavegen.linguistics.context import SpeechContext
from wavegen.nets.conditioning import FrameConditioning
from wavegen.nets.wavenet import WaveNet


@pytest.mark.parametrize("skip_channels", [0, 6])
@pytest.mark.parametrize("conditional", [False, True])
def test_plain_form_is_the_net_itself(skip_channels, conditional):
    def build(kind):
        part = FrameConditioning(in_channels=3, channels=2, hidden_channels=4, hop_samples=4)
        return kind(
            num_parameters=3,
            dilations=[1, 2, 4],
            kernel_size=3,
            residual_channels=4,
            gate_channels=10,
            skip_channels=skip_channels,
            output_channels=5,
            conditioning=[part] if conditional else [],
            input_gain=1.7,
        ).double()

    net, plain = build(WaveNet), build(PlainWaveNet)
    plain.load_state_dict(net.state_dict())
    x = torch.randn(2, 24, dtype=torch.float64)
    context = SpeechContext(features=torch.randn(2, 3, 7, dtype=torch.float64)) if conditional else None
    outputs = [kind(x, context) for kind in (net, plain)]
    torch.testing.assert_close(*outputs, rtol=1e-12, atol=1e-12)
    for output in outputs:
        output.square().sum().backward()
    gradients = [dict(kind.named_parameters()) for kind in (net, plain)]
    for name, parameter in gradients[0].items():
        torch.testing.assert_close(parameter.grad, gradients[1][name].grad, rtol=1e-9, atol=1e-12)


def test_parameters_stay_in_float32_under_autocast():
    plain = PlainWaveNet(num_parameters=2, dilations=[1, 2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert plain(torch.randn(1, 20)).dtype == torch.float32

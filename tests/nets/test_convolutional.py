import pytest
import torch
import torch.nn.functional as F

from wavegen.nets.convolutional import GainedConvolution, GainedConvolutionNet, GlowNet


def randomised(net):
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return net.double()


def test_a_gain_multiplies_the_convolutions_output():
    layer = randomised(GainedConvolution(2, 3))
    x = torch.randn(4, 2, 5, 5, dtype=torch.float64)
    plain = F.conv2d(x, layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), plain * torch.exp(3 * layer.log_gain)[:, None, None])


@pytest.mark.parametrize("context_features", [0, 3])
def test_the_net_is_its_formula(context_features):
    net = randomised(GlowNet(2, 3, 2, 4, context_features=context_features))
    x = torch.randn(5, 2, 4, 6, dtype=torch.float64)
    context = torch.randn(5, 3, dtype=torch.float64) if context_features else None
    hidden = F.conv2d(x, net.first.weight, net.first.bias, padding=1)
    if context_features:
        hidden = hidden + net.context(context, x)
    hidden = F.relu(F.conv2d(F.relu(hidden), net.second.weight, net.second.bias))
    raw = F.conv2d(hidden, net.last.weight, net.last.bias, padding=1)
    raw = raw * torch.exp(3 * net.last.log_gain)[:, None, None]
    found = net(x, context)
    assert found.shape == (5, 3, 4, 6, 2)
    # the parameter is the slow half of the channels
    torch.testing.assert_close(found[..., 0], raw[:, :3])
    torch.testing.assert_close(found[..., 1], raw[:, 3:])


def test_hidden_layers_keep_the_variance_at_the_start():
    net = GlowNet(64, 1, 1, 512)
    x = torch.randn(2, 64, 12, 12)
    hidden = F.relu(net.second(F.relu(net.first(x))))
    assert hidden.square().mean().item() == pytest.approx(1.0, rel=0.3)


def test_the_contexts_weights_of_a_prior_start_at_zero_and_add():
    net = GainedConvolutionNet(2, 3, 2, context_features=4)
    x, context = torch.randn(5, 2, 4, 4), torch.randn(5, 4)
    assert net(x, context).count_nonzero() == 0
    net = randomised(net)
    x, context = x.double(), context.double()
    added = net(x, context) - net(x, torch.zeros_like(context))
    expected = (context @ net.context.projection.weight[..., 0, 0].mT).unflatten(1, (2, 3)).transpose(1, 2)
    torch.testing.assert_close(added, expected[:, :, None, None].expand(added.shape))

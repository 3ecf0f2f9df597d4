"""What the image conditioners have in common, over all of them."""

import pytest
import torch

from wavegen.errors import UserError
from wavegen.nets.convolutional import GainedConvolutionNet, GlowNet
from wavegen.nets.gated_attention import GatedAttentionNet
from wavegen.nets.residual_net import ResidualNet

SIZE = (4, 6)
BUILDERS = {
    "glow": lambda **context: GlowNet(3, 2, 2, 8, **context),
    "glow's prior": lambda **context: GainedConvolutionNet(3, 2, 2, **context),
    "residual": lambda **context: ResidualNet(3, 2, 2, 8, num_blocks=2, **context),
    "gated attention": lambda **context: GatedAttentionNet(
        3, 2, 2, 8, SIZE, num_blocks=2, num_heads=2, **context
    ),
}


@pytest.fixture(params=BUILDERS)
def build(request):
    torch.manual_seed(0)
    return BUILDERS[request.param]


def perturbed(net):
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net


def test_shape_and_small_start(build):
    net = build()
    parameters = net(torch.randn(5, 3, *SIZE))
    assert parameters.shape == (5, 2, *SIZE, 2) and net.num_parameters == 2
    if isinstance(net, GatedAttentionNet):
        # components of a mixture begin apart, images alike
        assert parameters.std(dim=0).max() < 0.2 < parameters[0].std()
    else:
        assert parameters.count_nonzero() == 0


def test_gradients_reach_every_parameter(build):
    net = perturbed(build(context_features=4))
    result = net(torch.randn(5, 3, *SIZE), torch.randn(5, 4))
    (result * torch.randn_like(result)).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("shape", [(4,), (4, 8, 12), (4, *SIZE)])
def test_context_reaches_every_output(build, shape):
    net = perturbed(build(context_features=4)).double()
    kept = torch.randn(1, 3, *SIZE, dtype=torch.float64)
    context = torch.randn(1, *shape, dtype=torch.float64)
    changed = net(kept, context + 1) - net(kept, context)
    assert (changed != 0).all()


def test_images_of_a_batch_are_treated_apart(build):
    net = perturbed(build()).double()
    images = torch.randn(3, 3, *SIZE, dtype=torch.float64)
    torch.testing.assert_close(net(images)[1:2], net(images[1:2]), rtol=1e-10, atol=1e-10)


def test_contexts_that_do_not_fit_are_refused(build):
    kept = torch.zeros(2, 3, *SIZE)
    with pytest.raises(UserError, match="expected 4 features or channels, got 0"):
        build(context_features=4)(kept)
    with pytest.raises(UserError, match="expected 4 features or channels, got 3"):
        build(context_features=4)(kept, torch.zeros(2, 3))
    with pytest.raises(UserError, match="expected 0 features or channels, got 3"):
        build()(kept, torch.zeros(2, 3))
    for context, got in (
        (torch.zeros(4), r"got shape \(4,\)"),
        ({"style": torch.zeros(2, 4)}, "got dict"),
        (torch.zeros(2, 4, dtype=torch.long), "expected floating-point numbers, got torch.int64"),
    ):
        with pytest.raises(UserError, match=f"context: .*{got}"):
            build(context_features=4)(kept, context)

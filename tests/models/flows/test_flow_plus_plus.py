import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import (
    ActNorm,
    Coupling,
    InvertibleConvolution,
    MixtureOfLogisticsLogit,
    Squeeze,
)
from wavegen.models.flows.flow_plus_plus import flow_plus_plus, mixture_then_affine


def test_components_of_a_mixture_part_in_training():
    """What a conditioner that started at zero would never do."""
    flow = flow_plus_plus(image_shape=(1, 8, 8), hidden_channels=4, num_heads=2)
    coupling = next(layer for layer in flow.bijection.members[-1].members if hasattr(layer, "conditioner"))
    assert isinstance(coupling.transform.transforms[0], MixtureOfLogisticsLogit)
    flow().log_prob(torch.randint(0, 256, (4, 1, 8, 8))).sum().backward()
    # the locations of the four components of one pixel, after the logits of all four
    locations = coupling.conditioner.last.bias.grad.unflatten(0, (-1, 2))[4:8]
    assert (locations[0] != locations[1]).all()


def test_the_transform_is_the_mixtures_logit_then_affine():
    transform = mixture_then_affine(num_components=2)
    parameters = torch.randn(5, transform.num_parameters, dtype=torch.float64)
    mixture, affine = transform.transforms
    x = torch.randn(5, dtype=torch.float64, requires_grad=True)
    z, log_det = transform(x, parameters)
    logits, loc, log_scale = parameters[:, :6].unflatten(-1, (3, 2)).unbind(1)
    cdf = (logits.softmax(-1) * torch.sigmoid((x[:, None] - loc) * (-log_scale).exp())).sum(-1)
    shift, log_gain = parameters[:, 6], 2 * torch.tanh(parameters[:, 7] / 2)
    torch.testing.assert_close(z, torch.logit(cdf) * log_gain.exp() + shift)
    (slope,) = torch.autograd.grad(z.sum(), x)
    torch.testing.assert_close(log_det, slope.log())


def test_counts_are_checkerboards_channels_and_checkerboards():
    flow = flow_plus_plus(image_shape=(1, 8, 8), num_couplings=(2, 1, 1), hidden_channels=4, num_heads=2)
    body = list(flow.bijection.members[-1].members)
    kinds = [type(layer.split).__name__ for layer in body if isinstance(layer, Coupling)]
    assert kinds == ["CheckerboardSplit", "Swapped", "ChannelSplit", "CheckerboardSplit"]
    squeeze = next(index for index, layer in enumerate(body) if isinstance(layer, Squeeze))
    assert sum(isinstance(layer, Coupling) for layer in body[:squeeze]) == 2
    # one channel has nothing to mix, four have
    assert sum(isinstance(layer, InvertibleConvolution) for layer in body) == 2
    assert sum(isinstance(layer, ActNorm) for layer in body) == 4


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match=r"flow_plus_plus: .* got 30 × 28"):
        flow_plus_plus(image_shape=(1, 30, 28))
    # without a checkerboard behind the squeeze it does fit
    flow_plus_plus(image_shape=(1, 30, 28), num_couplings=(1, 1, 0))
    for counts in ((1, 1), (0, 0, 0), (2, -1, 1)):
        with pytest.raises(UserError, match="num_couplings: expected three counts .* got"):
            flow_plus_plus(image_shape=(1, 28, 28), num_couplings=counts)

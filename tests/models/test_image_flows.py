"""What is particular to image flows: scales, priors, sizes, depth."""

from functools import partial

import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import Compose, VariationalDequantization
from wavegen.models.flows.dequantized import variational_noise
from wavegen.models.flows.flow_plus_plus import flow_plus_plus
from wavegen.models.flows.glow import glow
from wavegen.models.flows.nice import nice_image
from wavegen.models.flows.real_nvp import real_nvp_image

SMALL = {
    "glow": partial(glow, hidden_channels=4),
    "real nvp": partial(real_nvp_image, hidden_channels=4),
    "flow++": partial(flow_plus_plus, hidden_channels=4, num_heads=2),
    "nice": partial(nice_image, hidden=[4]),
}
DEEP = {
    "glow": partial(glow, hidden_channels=8, num_scales=3, num_steps=8),
    "real nvp": partial(real_nvp_image, hidden_channels=8, num_scales=3, num_couplings=4),
    "flow++": partial(flow_plus_plus, hidden_channels=8),
}


def off_the_start(module, std=0.1):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(std * torch.randn_like(parameter))
    return module


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("image_shape", [(1, 28, 28), (1, 8, 8), (3, 32, 32)])
@pytest.mark.parametrize("name", SMALL)
def test_sizes_in_use(name, image_shape):
    flow = SMALL[name](image_shape=image_shape)
    x = torch.randint(0, 256, (2, *image_shape))
    assert flow().log_prob(x).isfinite().all()
    assert flow().sample((2,)).shape == x.shape


def test_sizes_that_do_not_fit_are_refused():
    for build in (glow, real_nvp_image):
        with pytest.raises(UserError, match=r"divisible by 2\^3 = 8 for 3 scales, got 28 × 28"):
            build(image_shape=(1, 28, 28), num_scales=3)
        with pytest.raises(UserError, match=r"at least one scale, got \(28, 28\) and 2"):
            build(image_shape=(28, 28), num_scales=2)
        with pytest.raises(UserError, match=r"at least one scale, got \(1, 28, 28\) and 0"):
            build(image_shape=(1, 28, 28), num_scales=0)


@pytest.mark.parametrize("name", SMALL)
def test_images_of_another_size_are_refused(name):
    flow = SMALL[name](image_shape=(1, 8, 8))
    with pytest.raises(UserError, match=r"\(1, 8, 8\)"):
        flow().log_prob(torch.zeros(2, 1, 8, 4))


@pytest.mark.parametrize("name", ["glow", "real nvp", "flow++"])
def test_context_may_be_an_image(name):
    flow = off_the_start(SMALL[name](image_shape=(1, 8, 8), context_features=2)).double()
    bijection = Compose(*flow.bijection.members[1:])
    y = torch.rand(1, 1, 8, 8, dtype=torch.float64) * 0.9 + 0.05
    context = torch.randn(1, 2, 16, 16, dtype=torch.float64, requires_grad=True)
    bijection(y, context)[0].square().sum().backward()
    assert context.grad.abs().min() > 0
    with pytest.raises(UserError, match="expected 2 features or channels, got 0"):
        bijection(y)


@pytest.mark.parametrize("name", DEEP)
def test_deep_models_return_in_float32(name):
    """Three scales, weights off their start: the round trip of a model as deep as those in use."""
    flow = off_the_start(DEEP[name](image_shape=(3, 32, 32)), std=0.03)
    y = torch.rand(2, 3, 32, 32)
    bijection = Compose(*flow.bijection.members[1:])
    with torch.no_grad():
        # ActNorm last: a stack of arbitrary maps would amplify rounding without end, as no trained one does
        bijection.train()(y)
        bijection.eval()
        z, log_det = bijection(y)
        returned, inverse_log_det = bijection.inverse(z)
    assert z.isfinite().all() and log_det.isfinite().all()
    torch.testing.assert_close(returned, y, rtol=0, atol=1e-4)
    torch.testing.assert_close(inverse_log_det, -log_det, rtol=1e-5, atol=0.05)


def test_variational_dequantisation_trains_the_noise_with_the_model():
    noise = off_the_start(variational_noise(image_shape=(1, 8, 8), hidden_channels=4))
    flow = SMALL["flow++"](image_shape=(1, 8, 8), dequantization=VariationalDequantization(noise=noise))
    x = torch.randint(0, 256, (4, 1, 8, 8))
    log_prob = flow().log_prob(x)
    assert log_prob.shape == (4,) and log_prob.isfinite().all()
    log_prob.sum().backward()
    for name, parameter in noise.named_parameters():
        assert parameter.grad.abs().max() > 0, name

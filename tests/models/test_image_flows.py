"""What is particular to image flows: scales, priors, sizes, depth."""

import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import Compose, Logit, Squeeze
from wavegen.models.glow import glow
from wavegen.models.multiscale import centred, multiscale, scaled_logit
from wavegen.models.priors import learned_prior, standard_prior
from wavegen.models.real_nvp import real_nvp_image

BUILDERS = {"glow": glow, "real_nvp_image": real_nvp_image}


@pytest.fixture(params=BUILDERS)
def build(request):
    torch.manual_seed(0)
    return BUILDERS[request.param]


@pytest.mark.parametrize("image_shape, num_scales", [((1, 28, 28), 2), ((1, 8, 8), 3), ((3, 32, 32), 2)])
def test_sizes_in_use(build, image_shape, num_scales):
    flow = build(image_shape=image_shape, num_scales=num_scales, hidden_channels=4)
    x = torch.randint(0, 256, (2, *image_shape))
    assert flow().log_prob(x).isfinite().all()
    assert flow().sample((2,)).shape == x.shape


def test_sizes_that_cannot_be_halved_are_refused(build):
    with pytest.raises(UserError, match=r"divisible by 2\^3 = 8 for 3 scales, got 28 × 28"):
        build(image_shape=(1, 28, 28), num_scales=3)
    with pytest.raises(
        UserError, match=r"\(channels, height, width\) and at least one scale, got \(28, 28\)"
    ):
        build(image_shape=(28, 28))
    with pytest.raises(UserError, match="and 0"):
        build(image_shape=(1, 28, 28), num_scales=0)


def test_images_of_another_size_are_refused(build):
    flow = build(image_shape=(1, 8, 8), hidden_channels=4)
    with pytest.raises(UserError, match=r"\(1, 8, 8\)"):
        flow().log_prob(torch.zeros(2, 1, 8, 4))


def test_context_may_be_an_image(build):
    flow = build(image_shape=(1, 8, 8), hidden_channels=4, context_features=2).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    bijection = Compose(*flow.bijection.members[1:])
    y = torch.rand(1, 1, 8, 8, dtype=torch.float64) * 0.9 + 0.05
    context = torch.randn(1, 2, 16, 16, dtype=torch.float64, requires_grad=True)
    bijection(y, context)[0].square().sum().backward()
    assert context.grad.abs().min() > 0
    with pytest.raises(UserError, match="expected 2 features or channels, got 0"):
        bijection(y)


def test_deep_models_return_in_float32(build):
    """Three scales, weights off their start: the round trip of a model as deep as those in use."""
    deep = {"num_steps": 8} if build is glow else {"num_couplings": 4}
    flow = build(image_shape=(3, 32, 32), num_scales=3, hidden_channels=8, **deep)
    y = torch.rand(2, 3, 32, 32)
    bijection = Compose(*flow.bijection.members[1:])
    with torch.no_grad():
        for parameter in bijection.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
        # ActNorm last: a stack of arbitrary maps would amplify rounding without end, as no trained one does
        bijection.train()(y)
        bijection.eval()
        z, log_det = bijection(y)
        returned, inverse_log_det = bijection.inverse(z)
    assert z.isfinite().all() and log_det.isfinite().all()
    torch.testing.assert_close(returned, y, rtol=0, atol=1e-4)
    torch.testing.assert_close(inverse_log_det, -log_det, rtol=1e-5, atol=0.05)


def test_scales_are_built_from_the_finest_on():
    seen = []

    def scale(shape, index):
        seen.append((index, tuple(shape)))
        return Squeeze()

    flow = multiscale((1, 8, 8), num_scales=3, scale=scale, prior=standard_prior)
    assert seen == [(0, (1, 8, 8)), (1, (2, 4, 4)), (2, (4, 2, 2))]
    assert flow.forward_shape((1, 8, 8)) == (64, 1, 1)


def test_learned_prior_starts_standard_and_normalises_what_leaves():
    torch.manual_seed(0)
    prior = learned_prior((4, 2, 2)).double()
    x = torch.randn(3, 4, 2, 2, dtype=torch.float64)
    z, log_det = prior(x)
    assert torch.equal(z, x) and log_det.count_nonzero() == 0
    with torch.no_grad():
        prior.conditioner.last.weight.normal_()
    z, log_det = prior(x)
    # what stays is untouched, and steers the location and scale of what leaves
    assert torch.equal(z[:, :2], x[:, :2]) and not torch.equal(z[:, 2:], x[:, 2:])
    parameters = prior.conditioner(x[:, :2])
    log_scale = 2 * torch.tanh(parameters[..., 1] / 2)
    torch.testing.assert_close(z[:, 2:], x[:, 2:] * log_scale.exp() + parameters[..., 0])
    torch.testing.assert_close(log_det, log_scale.flatten(1).sum(1))


def test_preprocessing():
    y = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64)
    assert centred()(y)[0].tolist() == [-0.5, -0.25, 0.5]
    z, log_det = scaled_logit(0.05)(y)
    p = 0.05 + 0.9 * y
    torch.testing.assert_close(z, Logit()(p)[0])
    torch.testing.assert_close(log_det, (0.9 / (p * (1 - p))).log())
    for alpha in (0.0, 0.5):
        with pytest.raises(UserError, match="between 0 and ½"):
            scaled_logit(alpha)

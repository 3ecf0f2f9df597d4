"""What is particular to image flows: scales, priors, sizes, depth."""

from functools import partial

import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import Compose, Logit, MixtureOfLogisticsLogit, Squeeze, VariationalDequantization
from wavegen.models.flows.dequantized import centred, scaled_logit, variational_noise
from wavegen.models.flows.flow_plus_plus import flow_plus_plus
from wavegen.models.flows.glow import glow
from wavegen.models.flows.multiscale import multiscale
from wavegen.models.flows.nice import nice_image
from wavegen.models.flows.priors import learned_prior, standard_prior
from wavegen.models.flows.real_nvp import real_nvp_image
from wavegen.runs.weights import build_model

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
    with pytest.raises(UserError, match=r"flow_plus_plus: .* got 30 × 28"):
        flow_plus_plus(image_shape=(1, 30, 28))
    # without a checkerboard behind the squeeze it does fit
    flow_plus_plus(image_shape=(1, 30, 28), num_couplings=(1, 1, 0))
    with pytest.raises(UserError, match="three counts"):
        flow_plus_plus(image_shape=(1, 28, 28), num_couplings=(1, 1))
    with pytest.raises(UserError, match="variational_noise: .* got 7 × 8"):
        variational_noise(image_shape=(1, 7, 8))


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


def test_scales_are_built_from_the_finest_on():
    seen = []

    def scale(shape, index):
        seen.append((index, tuple(shape)))
        return Squeeze()

    flow = multiscale((1, 8, 8), num_scales=3, scale=scale, prior=standard_prior)
    assert seen == [(0, (1, 8, 8)), (1, (2, 4, 4)), (2, (4, 2, 2))]
    assert flow.forward_shape((1, 8, 8)) == (64, 1, 1)


def test_learned_prior_starts_standard_and_normalises_what_leaves():
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


def test_variational_noise_starts_uniform_and_is_conditioned_on_the_image():
    noise = variational_noise(image_shape=(1, 8, 8), hidden_channels=4).double()
    image = 2 * torch.rand(3, 1, 8, 8, dtype=torch.float64) - 1
    u, log_q = noise(image).rsample_and_log_prob()
    assert u.shape == image.shape and u.min() > 0 and u.max() < 1
    torch.testing.assert_close(log_q, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-9)
    off_the_start(noise)
    u, log_q = noise(image).rsample_and_log_prob()
    torch.testing.assert_close(log_q, noise(image).log_prob(u.detach()), rtol=1e-8, atol=1e-8)
    assert not torch.isclose(noise(image).log_prob(u), noise(-image).log_prob(u)).any()


def test_variational_dequantisation_trains_the_noise_with_the_model():
    noise = off_the_start(variational_noise(image_shape=(1, 8, 8), hidden_channels=4))
    flow = SMALL["flow++"](image_shape=(1, 8, 8), dequantization=VariationalDequantization(noise=noise))
    x = torch.randint(0, 256, (4, 1, 8, 8))
    log_prob = flow().log_prob(x)
    assert log_prob.shape == (4,) and log_prob.isfinite().all()
    log_prob.sum().backward()
    for name, parameter in noise.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_components_of_a_mixture_part_in_training():
    """What a conditioner that started at zero would never do."""
    flow = SMALL["flow++"](image_shape=(1, 8, 8))
    coupling = next(layer for layer in flow.bijection.members[-1].members if hasattr(layer, "conditioner"))
    assert isinstance(coupling.transform.transforms[0], MixtureOfLogisticsLogit)
    flow().log_prob(torch.randint(0, 256, (4, 1, 8, 8))).sum().backward()
    # the locations of the four components of one pixel, after the logits of all four
    locations = coupling.conditioner.last.bias.grad.unflatten(0, (-1, 2))[4:8]
    assert (locations[0] != locations[1]).all()


def test_ablation_is_configuration():
    """Every cell of Glow's ablation, as a configuration says it."""
    for transform in (
        {"_target_": "wavegen.flows.Additive"},
        {"_target_": "wavegen.models.flows.real_nvp.bounded_affine"},
    ):
        for permutation in ("reverse", "shuffle", "invertible_1x1", "lu_1x1"):
            flow = build_model(
                {
                    "_target_": "wavegen.models.flows.glow.glow",
                    "image_shape": [1, 8, 8],
                    "num_steps": 2,
                    "hidden_channels": 4,
                    "transform": transform,
                    "permutation": {
                        "_target_": f"wavegen.models.flows.glow.{permutation}",
                        "_partial_": True,
                    },
                    "prior": {"_target_": "wavegen.models.flows.priors.standard_prior", "_partial_": True},
                    "preprocessing": {"_target_": "wavegen.models.flows.dequantized.scaled_logit"},
                },
                source="flow_model",
            )
            assert flow().log_prob(torch.randint(0, 256, (2, 1, 8, 8))).isfinite().all()

"""Every named flow, unconditional and conditional, against the same demands."""

import math
from functools import partial

import pytest
import torch

from wavegen.flows import ActNorm, Additive, BatchNorm, Compose, Coupling, Flow
from wavegen.flows.split import Swapped
from wavegen.models.flows.flow_plus_plus import flow_plus_plus
from wavegen.models.flows.glow import glow, lu_1x1, reverse, shuffle
from wavegen.models.flows.maf import iaf, maf
from wavegen.models.flows.neural_spline_flow import neural_spline_autoregressive, neural_spline_coupling
from wavegen.models.flows.nice import nice, nice_image
from wavegen.models.flows.planar_radial_sylvester import (
    householder,
    orthogonal,
    planar_flow,
    radial_flow,
    sylvester_flow,
    triangular,
)
from wavegen.models.flows.priors import learned_prior, standard_prior
from wavegen.models.flows.real_nvp import real_nvp, real_nvp_image

FEATURES, IMAGE, CONTEXT = 4, (1, 4, 4), 3

VECTORS = {
    "real nvp": lambda **kw: real_nvp(features=FEATURES, hidden=[6, 6], num_couplings=3, **kw),
    "nice": lambda **kw: nice(features=FEATURES, hidden=[6], num_couplings=2, **kw),
    "maf": lambda **kw: maf(features=FEATURES, num_flows=2, hidden=[8], **kw),
    "maf with batch norm": lambda **kw: maf(
        features=FEATURES, num_flows=2, hidden=[8], normalisation=partial(BatchNorm, event_dim=1), **kw
    ),
    "maf with actnorm": lambda **kw: maf(
        features=FEATURES, num_flows=2, hidden=[8], normalisation=partial(ActNorm, event_dim=1), **kw
    ),
    "iaf": lambda **kw: iaf(features=FEATURES, num_flows=2, hidden=[8], **kw),
    "neural spline, coupling": lambda **kw: neural_spline_coupling(
        features=FEATURES, num_flows=2, hidden=[6], **kw
    ),
    "neural spline, autoregressive": lambda **kw: neural_spline_autoregressive(
        features=FEATURES, num_flows=2, hidden=[8], **kw
    ),
    "planar": lambda **kw: planar_flow(features=FEATURES, num_flows=2, hidden=[5], **kw),
    "radial": lambda **kw: radial_flow(features=FEATURES, num_flows=2, hidden=[5], **kw),
    "sylvester": lambda **kw: sylvester_flow(features=FEATURES, num_flows=2, hidden=[5], **kw),
    "sylvester, rank 2": lambda **kw: sylvester_flow(
        features=FEATURES, num_flows=2, hidden=[5], layer=partial(orthogonal, rank=2), **kw
    ),
    "sylvester, householder": lambda **kw: sylvester_flow(
        features=FEATURES, num_flows=2, hidden=[5], layer=householder, **kw
    ),
    "sylvester, triangular": lambda **kw: sylvester_flow(
        features=FEATURES, num_flows=2, hidden=[5], layer=triangular, **kw
    ),
    "real nvp, odd features": lambda **kw: real_nvp(features=5, hidden=[6], num_couplings=2, **kw),
}
IMAGES = {
    "glow": lambda **kw: glow(image_shape=IMAGE, num_steps=2, hidden_channels=4, **kw),
    "glow, additive, shuffle, standard prior": lambda **kw: glow(
        image_shape=IMAGE,
        num_steps=2,
        hidden_channels=4,
        transform=Additive(),
        permutation=shuffle,
        prior=standard_prior,
        **kw,
    ),
    "glow, reverse": lambda **kw: glow(
        image_shape=IMAGE, num_scales=1, num_steps=2, hidden_channels=4, permutation=reverse, **kw
    ),
    "glow, lu": lambda **kw: glow(
        image_shape=(2, 4, 4), num_steps=1, hidden_channels=4, permutation=lu_1x1, **kw
    ),
    "nice image": lambda **kw: nice_image(image_shape=IMAGE, hidden=[5], num_couplings=2, **kw),
    "flow++": lambda **kw: flow_plus_plus(
        image_shape=IMAGE, num_couplings=(2, 2, 1), hidden_channels=4, num_heads=2, **kw
    ),
    "real nvp image": lambda **kw: real_nvp_image(image_shape=IMAGE, hidden_channels=4, **kw),
    "real nvp image, batch norm": lambda **kw: real_nvp_image(
        image_shape=IMAGE, hidden_channels=4, normalisation=partial(BatchNorm, event_dim=3), **kw
    ),
    "real nvp image, learned prior": lambda **kw: real_nvp_image(
        image_shape=IMAGE, hidden_channels=4, num_couplings=2, prior=learned_prior, **kw
    ),
}
BUILDERS = VECTORS | IMAGES
CASES = [(name, features) for name in BUILDERS for features in (0, CONTEXT)]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}, context {case[1]}".replace(" ", "-"))
def case(request):
    """A model in float64, off its start, a batch of data and its context."""
    name, context_features = request.param
    torch.manual_seed(0)
    flow = BUILDERS[name](context_features=context_features).double()
    context = torch.randn(3, context_features, dtype=torch.float64) if context_features else None
    shape = flow(context).event_shape
    if name in IMAGES:
        x = torch.randint(0, 256, (3, *shape)).double()
    else:
        x = torch.randn(3, *shape, dtype=torch.float64)
    with torch.no_grad():
        # ActNorm has seen a batch before the weights move
        flow.train()(context).log_prob(x)
        for parameter in flow.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return flow.eval(), x, context, name in IMAGES


def continuous(flow, x, is_image):
    """The flow without its dequantisation, and data for it."""
    if not is_image:
        return flow, x
    dequantisation, *bijections = flow.bijection.members
    return Flow(bijection=Compose(*bijections), base=flow.base), dequantisation(x)[0].detach()


def test_densities_and_samples_have_the_shapes_of_the_batch(case):
    flow, x, context, is_image = case
    distribution = flow(context)
    assert distribution.event_shape == x.shape[1:]
    assert flow.is_bound == is_image
    log_prob = distribution.log_prob(x)
    assert log_prob.shape == (3,) and log_prob.isfinite().all()
    batch = () if context is None else (3,)
    samples = distribution.sample((2,))
    assert samples.shape == (2, *batch, *x.shape[1:]) and samples.isfinite().all()
    if is_image:
        assert torch.equal(samples, samples.round()) and samples.min() >= 0 and samples.max() <= 255


def jacobian(bijection, x, context, index):
    its_context = None if context is None else context[index : index + 1]
    matrix = torch.autograd.functional.jacobian(
        lambda event: bijection(event[None], its_context)[0].flatten(), x[index]
    )
    return matrix.reshape(x[index].numel(), x[index].numel())


def test_log_det_is_that_of_the_autograd_jacobian(case):
    flow, x, context, is_image = case
    flow, x = continuous(flow, x, is_image)
    z, log_det = flow.bijection(x, context)
    for index in range(len(x)):
        expected = torch.linalg.slogdet(jacobian(flow.bijection, x, context, index))[1]
        torch.testing.assert_close(log_det[index], expected, rtol=0, atol=1e-8)
    returned, inverse_log_det = flow.bijection.inverse(z, context)
    torch.testing.assert_close(returned, x, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(inverse_log_det, -log_det, rtol=1e-8, atol=1e-8)


def test_no_element_is_left_to_itself(case, request):
    """A split that is never swapped, or a permutation left out, passes every other test."""
    if "shuffle" in request.node.callspec.params["case"][0]:
        pytest.skip("two random orders may well keep a channel where it never moves")
    flow, x, context, is_image = case
    flow, x = continuous(flow, x, is_image)
    depends = jacobian(flow.bijection, x, context, 0) != 0
    assert depends.sum(1).min() > 1, "a latent that depends on one element"
    assert depends.sum(0).min() > 1, "an element that reaches one latent"


@pytest.mark.parametrize(
    ("name", "swapped"),
    [
        ("nice", [False, True]),
        ("real nvp", [False, True, False]),
        ("neural spline, coupling", [False, True]),
        ("nice image", [False, True]),
        # checkerboards, channels and checkerboards start over
        ("flow++", [False, True, False, True, False]),
        # three checkerboards, three channel couplings, four checkerboards
        ("real nvp image", [False, True, False, False, True, False, False, True, False, True]),
    ],
)
def test_both_parts_of_a_split_move_by_turns(name, swapped):
    couplings = [layer for layer in BUILDERS[name]().modules() if isinstance(layer, Coupling)]
    assert [isinstance(layer.split, Swapped) for layer in couplings] == swapped


def test_samples_and_their_densities_in_one_pass(case):
    flow, x, context, is_image = case
    if is_image:
        # below the preprocessing too: a sample that a sigmoid has rounded to a pole has lost its density
        flow = Flow(bijection=Compose(*flow.bijection.members[2:]), base=flow.base)
    distribution = flow(context)
    samples, log_prob = distribution.rsample_and_log_prob((2,))
    assert samples.shape[1 if context is None else 2 :] == x.shape[1:]
    torch.testing.assert_close(log_prob, distribution.log_prob(samples), rtol=1e-6, atol=1e-6)


def test_gradients_reach_every_parameter(case):
    flow, x, context, _ = case
    (flow(context).log_prob(x) * torch.randn(3, dtype=torch.float64)).sum().backward()
    for name, parameter in flow.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_every_feature_of_the_context_matters(case):
    flow, x, context, is_image = case
    if context is None:
        return
    flow, x = continuous(flow, x, is_image)
    context.requires_grad_()
    flow(context).log_prob(x).sum().backward()
    assert context.grad.abs().min() > 0


def test_bits_per_dimension_at_the_start_are_sane(case, request):
    """A fresh model in float32 on what it was normalised by is no worse than some bits above uniform."""
    _, x, context, is_image = case
    name, context_features = request.node.callspec.params["case"]
    torch.manual_seed(1)
    flow = BUILDERS[name](context_features=context_features)
    context = None if context is None else context.float()
    log_prob = flow(context).log_prob(x.float())
    assert log_prob.dtype == torch.float32 and log_prob.isfinite().all()
    bits = -log_prob.mean().item() / (x[0].numel() * math.log(2))
    assert bits < (12 if is_image else 4)

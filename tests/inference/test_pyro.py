"""Flows as Pyro's distributions and guides, against closed forms and against the flows themselves."""

import pytest
import torch
from torch.distributions import MultivariateNormal

from wavegen.errors import UserError
from wavegen.flows import (
    Affine,
    Autoregressive,
    BoundedLogScale,
    Compose,
    Flow,
    Logit,
    StandardNormal,
)
from wavegen.nets.made import MADE

pyro = pytest.importorskip("pyro")

from pyro.infer import SVI, Predictive, Trace_ELBO  # noqa: E402
from pyro.infer.mcmc.util import initialize_model  # noqa: E402
from pyro.optim import ClippedAdam  # noqa: E402
from torch.distributions import constraints  # noqa: E402

from wavegen.inference.pyro import FlowGuide, PyroFlow  # noqa: E402


@pytest.fixture(autouse=True)
def clean_store():
    pyro.clear_param_store()
    with pyro.validation_enabled():
        yield


def layer(features, order=None, context_features=0):
    conditioner = MADE(features, 2, [16], context_features, order)
    return Autoregressive(transform=Affine(log_scale_activation=BoundedLogScale()), conditioner=conditioner)


def forward_flow(features=2, context_features=0):
    """One pass from x to z."""
    return Flow(
        bijection=layer(features, context_features=context_features), base=StandardNormal([features])
    ).double()


def inverse_flow(features, order=None):
    """One pass from z to x."""
    return Flow(bijection=layer(features, order).inv, base=StandardNormal([features])).double()


def log_prob_of(site_name, trace):
    trace.compute_log_prob()
    return trace.nodes[site_name]["log_prob"]


def test_a_flow_as_the_likelihood_of_what_was_observed():
    flow, x = forward_flow(), torch.randn(7, 2, dtype=torch.float64)

    def model(x):
        pyro.module("flow", flow)
        with pyro.plate("data", len(x)):
            pyro.sample("x", PyroFlow(flow()), obs=x)

    trace = pyro.poutine.trace(model).get_trace(x)
    assert trace.nodes["x"]["fn"].batch_shape == (7,)
    torch.testing.assert_close(log_prob_of("x", trace), flow().log_prob(x))
    assert {node for node in trace.nodes if node.startswith("flow$$$")} == {
        f"flow$$${name}" for name, _ in flow.named_parameters()
    }
    loss = Trace_ELBO().differentiable_loss(model, lambda x: None, x)
    torch.testing.assert_close(loss, -flow().log_prob(x).sum())


def test_svi_of_a_likelihood_is_maximum_likelihood():
    flow, x = forward_flow(), 2 + torch.randn(50, 2, dtype=torch.float64)

    def model(x):
        pyro.module("flow", flow)
        with pyro.plate("data", len(x)):
            pyro.sample("x", PyroFlow(flow()), obs=x)

    before = float(flow().log_prob(x).mean().detach())
    svi = SVI(model, lambda x: None, ClippedAdam({"lr": 0.05}), Trace_ELBO())
    for _ in range(60):
        svi.step(x)
    assert float(flow().log_prob(x).mean().detach()) > before + 1


def test_a_subsampled_plate_scales_and_a_mask_drops():
    flow, x = forward_flow(), torch.randn(8, 2, dtype=torch.float64)
    mask = torch.tensor([True] * 5 + [False] * 3)

    def model():
        with pyro.plate("data", 80, subsample=torch.arange(8)), pyro.poutine.mask(mask=mask):
            pyro.sample("x", PyroFlow(flow()), obs=x)

    trace = pyro.poutine.trace(model).get_trace()
    expected = 10 * flow().log_prob(x[:5]).sum()
    torch.testing.assert_close(trace.log_prob_sum(), expected)


def test_mask_and_to_event_of_the_distribution():
    flow, x = forward_flow(), torch.randn(4, 3, 2, dtype=torch.float64)
    mask = torch.tensor([True, False, True])
    masked = PyroFlow(flow()).expand([3]).mask(mask).to_event(1)
    assert (masked.batch_shape, masked.event_shape) == ((), (3, 2))
    torch.testing.assert_close(masked.log_prob(x), flow().log_prob(x)[:, mask].sum(-1))
    assert masked.rsample((4,)).shape == (4, 3, 2)


def test_draws_within_nested_plates_are_independent_and_scored_once():
    flow = forward_flow()

    def model():
        with pyro.plate("rows", 300, dim=-2), pyro.plate("columns", 4, dim=-1):
            return pyro.sample("x", PyroFlow(flow()))

    trace = pyro.poutine.trace(model).get_trace()
    x = trace.nodes["x"]["value"]
    assert x.shape == (300, 4, 2)
    assert len(torch.unique(x.flatten(0, 1), dim=0)) == 1200
    torch.testing.assert_close(log_prob_of("x", trace), flow().log_prob(x))


def test_a_conditional_flow_expands_about_its_batch():
    flow, context = forward_flow(context_features=3), torch.randn(5, 3, dtype=torch.float64)
    expanded = PyroFlow(flow(context)).expand([6, 5])
    assert (expanded.batch_shape, expanded.event_shape) == ((6, 5), (2,))
    x = expanded.rsample((2,))
    assert x.shape == (2, 6, 5, 2)
    expected = torch.stack([flow(context[i : i + 1]).log_prob(x[:, :, i]) for i in range(5)], -1)
    torch.testing.assert_close(expanded.log_prob(x), expected)  # remembered
    torch.testing.assert_close(expanded.log_prob(x.clone()), expected)  # computed
    one = PyroFlow(flow(context[:1])).expand([4])
    torch.testing.assert_close(one.log_prob(x[0, 0, :4]), flow(context[:1]).log_prob(x[0, 0, :4]))
    with pytest.raises(UserError, match=r"to which \(5,\) broadcasts, got \(6,\)"):
        PyroFlow(flow(context)).expand([6])


def test_a_draw_is_scored_in_the_same_pass_with_the_same_gradient():
    flow = inverse_flow(3)
    parameters = list(flow.parameters())
    passes = []
    flow.bijection.bijection.conditioner.register_forward_hook(lambda *_: passes.append(1))
    site = PyroFlow(flow())
    x = site.rsample((5,))
    remembered = site.log_prob(x)
    assert len(passes) == 1
    computed = PyroFlow(flow()).log_prob(x)
    torch.testing.assert_close(remembered, computed)
    weights = torch.arange(5.0).double()
    for one, other in zip(
        torch.autograd.grad((weights * remembered).sum(), parameters, retain_graph=True),
        torch.autograd.grad((weights * computed).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


def test_a_draw_without_graph_is_scored_anew_where_gradients_are_wanted():
    site = PyroFlow(inverse_flow(2)())
    x = site.sample((3,))
    assert not x.requires_grad
    assert site.log_prob(x).requires_grad
    with torch.no_grad():
        torch.testing.assert_close(site.log_prob(x), site.log_prob(x.clone()))


def conjugate(num_data=20):
    """z ~ N(0, I), x_n ~ N(A z, Σ): the posterior is Gaussian, its moments known."""
    generator = torch.Generator().manual_seed(5)
    matrix = torch.tensor([[1.0, 0.5], [-0.5, 1.0], [0.8, 0.8]], dtype=torch.float64)
    noise = torch.eye(3, dtype=torch.float64) * 4
    x = matrix @ torch.tensor([1.0, -0.5]).double() + 2 * torch.randn(
        num_data, 3, generator=generator, dtype=torch.float64
    )
    precision = torch.eye(2).double() + num_data * matrix.T @ noise.inverse() @ matrix
    covariance = precision.inverse()
    mean = covariance @ (matrix.T @ noise.inverse() @ x.sum(0))

    def model(x):
        z = pyro.sample("z", pyro.distributions.Normal(torch.zeros(2).double(), 1.0).to_event(1))
        with pyro.plate("data", len(x)):
            pyro.sample("x", pyro.distributions.MultivariateNormal(z @ matrix.T, noise), obs=x)

    return model, x, MultivariateNormal(mean, covariance)


def test_svi_with_a_flow_guide_finds_the_conjugate_posterior():
    """By 20,000 draws: mean within 0.1 deviations, covariance within 10 %, KL below 0.005 nats."""
    model, x, posterior = conjugate()
    flow = Flow(
        bijection=Compose(layer(2, [1, 0]).inv, layer(2, [0, 1]).inv), base=StandardNormal([2])
    ).double()
    guide = FlowGuide(model, flow=flow)
    steps = 400
    optimizer = ClippedAdam({"lr": 0.02, "lrd": 0.01 ** (1 / steps)})
    svi = SVI(model, guide, optimizer, Trace_ELBO(num_particles=16, vectorize_particles=True))
    for _ in range(steps):
        svi.step(x)
    with torch.no_grad():
        z, log_prob = flow().rsample_and_log_prob([20_000])
    scale = posterior.stddev
    assert ((z.mean(0) - posterior.mean).abs() < 0.1 * scale).all()
    gap = torch.cov(z.T) - posterior.covariance_matrix
    assert (gap.abs() < 0.1 * scale.outer(scale)).all()
    assert abs(float((log_prob - posterior.log_prob(z)).mean())) < 5e-3
    drawn = Predictive(model, guide=guide, num_samples=10)(x)["z"]
    assert drawn.reshape(10, -1).shape == (10, 2)


def test_a_guide_of_several_constrained_sites():
    """The sites' transforms, with their Jacobians, are Pyro's; the flow is over all at once."""

    def model():
        scale = pyro.sample("scale", pyro.distributions.LogNormal(torch.zeros(()).double(), 1.0))
        pyro.sample("y", pyro.distributions.Normal(torch.zeros(2).double(), scale).to_event(1))

    flow = inverse_flow(3)
    guide = FlowGuide(model, flow=flow)
    trace = pyro.poutine.trace(guide).get_trace()
    latent = trace.nodes["_FlowGuide_latent"]["value"]
    torch.testing.assert_close(trace.nodes["scale"]["value"], latent[0].exp())
    torch.testing.assert_close(trace.nodes["y"]["value"], latent[1:])
    expected = flow().log_prob(latent) - latent[0]
    torch.testing.assert_close(trace.log_prob_sum(), expected)
    names = {name for name in pyro.get_param_store().keys()}
    assert len(names) == len(list(flow.parameters()))
    Trace_ELBO().differentiable_loss(model, guide).backward()
    assert all(p.grad is not None for p in flow.parameters())


def test_a_guide_of_the_wrong_width_is_refused():
    model, x, _ = conjugate()
    with pytest.raises(UserError, match=r"2 latent dimensions, expected a flow .* \(2,\), got \(3,\)"):
        FlowGuide(model, flow=inverse_flow(3))(x)


def test_an_amortised_posterior_inside_a_plate():
    """One z per datum: the guide's flow is conditioned on the datum, and Pyro sums over the plate."""
    flow, x = forward_flow(context_features=3), torch.randn(6, 3, dtype=torch.float64)

    def model(x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", pyro.distributions.Normal(torch.zeros(2).double(), 1.0).to_event(1))
            mean = torch.cat([z, z.sum(-1, keepdim=True)], -1)
            pyro.sample("x", pyro.distributions.Normal(mean, 1.0).to_event(1), obs=x)

    def guide(x):
        pyro.module("flow", flow)
        with pyro.plate("data", len(x)):
            pyro.sample("z", PyroFlow(flow(x)))

    torch.manual_seed(2)
    loss = Trace_ELBO().differentiable_loss(model, guide, x)
    torch.manual_seed(2)
    z, log_prob = flow(x).rsample_and_log_prob()
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    mean = torch.cat([z, z.sum(-1, keepdim=True)], -1)
    likelihood = torch.distributions.Normal(mean, 1.0).log_prob(x).sum(-1)
    torch.testing.assert_close(loss, (log_prob - prior - likelihood).sum())


def test_a_flow_as_prior_is_open_to_hamiltonian_samplers():
    """They go by ``support``: all of the plane, or the unit square where a sigmoid ends the flow."""
    flow = forward_flow()
    u = torch.randn(2, dtype=torch.float64)
    _, potential, _, _ = initialize_model(lambda: pyro.sample("x", PyroFlow(flow())))
    torch.testing.assert_close(potential({"x": u}), -flow().log_prob(u))

    square = Flow(bijection=Compose(Logit(), flow.bijection), base=flow.base)
    support = constraints.independent(constraints.unit_interval, 1)
    _, potential, _, _ = initialize_model(lambda: pyro.sample("x", PyroFlow(square(), support=support)))
    # over the unconstrained logit u of x the law is the flow's own, whose logit has been taken back
    torch.testing.assert_close(potential({"x": u}), -flow().log_prob(u))


def test_other_distributions_are_refused():
    with pytest.raises(UserError, match="expected the distribution that a Flow returns.* got Normal"):
        PyroFlow(torch.distributions.Normal(0.0, 1.0))
    with pytest.raises(UserError, match="got Flow"):
        PyroFlow(forward_flow())

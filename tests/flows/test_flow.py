import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.flows import (
    Affine,
    Autoregressive,
    Compose,
    Flow,
    LULinear,
    MixtureOfLogisticsCDF,
    Sigmoid,
    Squeeze,
    StandardLogistic,
    StandardNormal,
    StandardUniform,
)
from wavegen.nets.made import MADE


def maf(features=3, context_features=2, seed=0):
    torch.manual_seed(seed)
    made = MADE(features, 2, [16], context_features=context_features)
    return Autoregressive(transform=Affine(), conditioner=made).double()


@settings(deadline=None, max_examples=20)
@given(
    batch=st.integers(1, 4),
    features=st.integers(1, 4),
    draws=st.lists(st.integers(1, 3), max_size=2),
    conditional=st.booleans(),
    inverted=st.booleans(),
)
def test_joint_sample_and_log_prob_agree_with_log_prob(batch, features, draws, conditional, inverted):
    bijection = maf(features, 2 if conditional else 0)
    bijection = bijection.inv if inverted else bijection
    flow = Flow(bijection=bijection, base=StandardLogistic((features,))).double()
    distribution = flow(torch.randn(batch, 2, dtype=torch.float64) if conditional else None)
    x, log_prob = distribution.rsample_and_log_prob(tuple(draws))
    assert distribution.batch_shape == ((batch,) if conditional else ())
    assert x.shape == (*draws, *distribution.batch_shape, features)
    assert log_prob.shape == x.shape[:-1]
    torch.testing.assert_close(distribution.log_prob(x), log_prob, rtol=1e-9, atol=1e-9)
    assert distribution.rsample(tuple(draws)).shape == x.shape


def test_each_draw_meets_its_own_context():
    flow = Flow(bijection=maf(), base=StandardNormal((3,))).double()
    context = torch.randn(4, 2, dtype=torch.float64)
    x = torch.randn(5, 4, 3, dtype=torch.float64)
    alone = torch.stack([flow(context[i : i + 1]).log_prob(x[:, i : i + 1]).squeeze(1) for i in range(4)], 1)
    torch.testing.assert_close(flow(context).log_prob(x), alone, rtol=1e-12, atol=1e-12)
    # one value against all contexts
    torch.testing.assert_close(flow(context).log_prob(x[0, 0])[2], flow(context[2:3]).log_prob(x[0, 0])[0])


def test_a_context_of_several_tensors():
    class Sum(torch.nn.Module):
        num_parameters = 2

        def forward(self, x, context):
            shift = context["speaker"][:, None] + context["frames"].mean(-1)
            return torch.stack([shift.expand(x.shape), 0.1 * shift.expand(x.shape)], -1)

    flow = Flow(bijection=Autoregressive(transform=Affine(), conditioner=Sum()), base=StandardNormal((3,)))
    context = {"speaker": torch.arange(4), "frames": torch.randn(4, 1, 6)}
    assert flow(context).rsample((2,)).shape == (2, 4, 3)
    with pytest.raises(UserError, match="one batch size"):
        flow({"speaker": torch.arange(4), "frames": torch.randn(3, 1, 6)})


def test_density_integrates_to_one():
    for base in (StandardLogistic((1,)), StandardNormal((1,))):
        flow = Flow(bijection=maf(1, 0), base=base).double()
        x = torch.linspace(-200, 200, 400_001, dtype=torch.float64)[:, None]
        with torch.no_grad():
            total = flow().log_prob(x).exp().sum() * (x[1] - x[0])
        assert abs(total.item() - 1) < 1e-6


def test_uniform_base_gives_the_density_of_the_cdf():
    made = MADE(2, 9, [16])
    flow = Flow(
        bijection=Autoregressive(transform=MixtureOfLogisticsCDF(3, -9.0), conditioner=made),
        base=StandardUniform((2,)),
    ).double()
    with torch.no_grad():
        x = flow().sample((500,))
        assert x.isfinite().all()
        z, _ = flow.bijection(x)
    uniform = z[:, 1].sort().values
    assert (uniform - torch.arange(1, 501, dtype=torch.float64) / 500).abs().max() < 1.95 / math.sqrt(500)


def test_reparametrised_gradients_reach_all_parameters():
    flow = Flow(bijection=maf().inv, base=StandardLogistic((3,))).double()
    x, log_prob = flow(torch.randn(4, 2, dtype=torch.float64)).rsample_and_log_prob((2,))
    (x.square().sum() + log_prob.sum()).backward()
    for name, parameter in flow.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_sample_carries_no_gradient():
    assert not Flow(bijection=maf(3, 0), base=StandardNormal((3,))).double()().sample((2,)).requires_grad


def test_a_base_that_depends_on_the_context():
    def base(context):
        return torch.distributions.Independent(torch.distributions.Normal(context, 1.0), 1)

    flow = Flow(bijection=maf(2, 2), base=base)
    context = torch.randn(5, 2, dtype=torch.float64)
    x, log_prob = flow(context).rsample_and_log_prob((3,))
    assert x.shape == (3, 5, 2) and log_prob.shape == (3, 5)
    torch.testing.assert_close(flow(context).log_prob(x), log_prob)


def test_elementwise_bijection_under_a_vector_event():
    flow = Flow(bijection=Sigmoid().inv, base=StandardLogistic((3,)))
    x = torch.rand(6, 3)
    # the sigmoid of a standard logistic is uniform
    torch.testing.assert_close(flow().log_prob(x), torch.zeros(6), rtol=0, atol=1e-5)


def test_rank_mismatch_is_refused_at_construction():
    with pytest.raises(UserError, match="at least 1 dimensions"):
        Flow(bijection=maf(), base=StandardNormal(()))
    with pytest.raises(UserError, match="at least 2 dimensions"):
        Flow(bijection=Compose(maf(), event_dim=2), base=StandardNormal((3,)))


def test_a_base_of_another_shape_and_a_map_that_is_no_transform_are_refused_at_construction():
    with pytest.raises(UserError, match=r"LULinear: expected events of shape \(4\), got shape \(5,\)"):
        Flow(bijection=LULinear(4), base=StandardNormal((5,)))
    with pytest.raises(UserError, match=r"LULinear: expected events of shape \(4\)"):
        Flow(bijection=Compose(LULinear(4), LULinear(5)), base=StandardNormal((5,)))
    with pytest.raises(UserError, match=r"LULinear: expected events of shape \(4\)"):
        Flow(bijection=Compose(Squeeze(), LULinear(4)), base=StandardNormal((4, 2, 2)))
    with pytest.raises(UserError, match="expected a bijection, or a chain of transforms, got Affine"):
        Flow(bijection=Affine(), base=StandardNormal((3,)))


def test_values_and_contexts_that_do_not_fit_are_refused():
    flow = Flow(bijection=maf(), base=StandardNormal((3,))).double()
    context = torch.randn(4, 2, dtype=torch.float64)
    for shape in ((4, 5), (5,), ()):
        for direction in (flow(context).generate, flow(context).normalise):
            with pytest.raises(UserError, match=r"expected events of shape \(3,\), got a value of shape"):
                direction(torch.zeros(shape, dtype=torch.float64))
    for direction in (flow(context).generate, flow(context).normalise):
        # eight values are a multiple of four, and yet it is not told which context belongs to which
        for batch in ((5,), (4, 2)):
            with pytest.raises(UserError, match=r"broadcasts against .* \(4,\) .* got \("):
                direction(torch.zeros(*batch, 3, dtype=torch.float64))
        value, term = direction(torch.zeros(3, dtype=torch.float64))
        assert value.shape == (4, 3) and term.shape == (4,)
    for wrong, got in ((torch.tensor(1.0), r"shape \(\) for context"), ([1.0], "list for context")):
        with pytest.raises(UserError, match=rf"the batch in dimension 0, got {got}"):
            flow(wrong)
    with pytest.raises(UserError, match="the batch in dimension 0, got int for speaker"):
        flow({"speaker": 3})


def test_a_context_of_known_rank_has_any_batch_shape():
    flow = Flow(bijection=maf(), base=StandardNormal((3,)), context_rank=1).double()
    context = torch.randn(4, 5, 2, dtype=torch.float64)
    x = torch.randn(6, 4, 5, 3, dtype=torch.float64)
    distribution = flow(context)
    assert distribution.batch_shape == (4, 5) and distribution.sample((6,)).shape == x.shape
    log_prob = distribution.log_prob(x)
    for i in range(4):
        for j in range(5):
            alone = flow(context[i, j])
            assert alone.batch_shape == () and alone.sample().shape == (3,)
            torch.testing.assert_close(alone.log_prob(x[:, i, j]), log_prob[:, i, j], rtol=1e-12, atol=1e-12)
    broadcast = flow(context[:, :1]).log_prob(x)
    torch.testing.assert_close(broadcast, flow(context[:, :1].expand(-1, 5, -1)).log_prob(x))


def test_a_context_and_a_base_of_different_batches():
    """Members of the context must meet those of the base, not the ones that follow them in memory."""

    def base(context):
        loc = torch.arange(5, dtype=torch.float64)[:, None].expand(5, 3)
        return torch.distributions.Independent(torch.distributions.Normal(loc, 1.0), 1)

    flow = Flow(bijection=maf(), base=base, context_rank=1)
    context, x = torch.randn(4, 1, 2, dtype=torch.float64), torch.randn(4, 5, 3, dtype=torch.float64)
    assert flow(context).batch_shape == (4, 5)
    found = flow(context).log_prob(x)
    for i in range(4):
        torch.testing.assert_close(found[i], flow(context[i]).log_prob(x[i]))


def test_an_empty_batch_of_a_flow():
    flow = Flow(bijection=maf(), base=StandardNormal((3,)), context_rank=1).double()
    distribution = flow(torch.zeros(0, 2, dtype=torch.float64))
    assert distribution.sample().shape == (0, 3)
    assert distribution.log_prob(torch.zeros(0, 3, dtype=torch.float64)).shape == (0,)

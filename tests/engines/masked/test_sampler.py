import logging

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wavegen.engines.masked.sampler import MaskedFlowSampler
from wavegen.errors import UserError
from wavegen.flows import (
    Affine,
    Autoregressive,
    BoundedLogScale,
    Compose,
    Flow,
    MixtureOfLogisticsLogit,
    Sigmoid,
    StandardNormal,
    StandardUniform,
)
from wavegen.nets.made import MADE

ACTIVATIONS = [nn.ReLU(), nn.LeakyReLU(0.2), nn.ELU(0.7), nn.SiLU(), nn.Tanh(), nn.Sigmoid(), nn.Identity()]


def masked(features, transform=None, hidden=(16, 12), **options):
    """A masked layer far enough from its start that every element matters to those after it."""
    transform = Affine(log_scale_activation=BoundedLogScale(1.0)) if transform is None else transform
    made = MADE(features, transform.num_parameters, hidden, **options)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    with torch.no_grad():
        made.layers[-1].weight.mul_(0.3)
    return Autoregressive(transform=transform, conditioner=made)


def flow_of(*layers, features=5, base=None):
    base = StandardNormal([features]) if base is None else base
    return Flow(bijection=Compose(*layers, event_dim=1), base=base)


def assert_generates_as_inverse(flow, z, context=None, **tolerance):
    own, _ = flow(context).generate(z)
    torch.testing.assert_close(MaskedFlowSampler(flow).generate(z, context), own.detach(), **tolerance)


@settings(max_examples=30)
@given(
    features=st.integers(1, 9),
    hidden=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    context_features=st.integers(0, 2),
    batch=st.sampled_from([0, 1, 3, 70, 131, 300]),
    activation=st.sampled_from(ACTIVATIONS),
    bounded=st.booleans(),
    data=st.data(),
)
def test_equals_the_inverse_for_every_shape(
    features, hidden, context_features, batch, activation, bounded, data
):
    orders = [data.draw(st.permutations(range(features))) for _ in range(2)]
    scale = BoundedLogScale(0.8) if bounded else None
    layers = [
        masked(
            features,
            Affine(log_scale_activation=scale),
            hidden,
            context_features=context_features,
            order=order,
            activation=activation,
        )
        for order in orders
    ]
    flow = flow_of(*layers, features=features).double()
    batch = max(batch, 1) if context_features else batch
    context = torch.randn(batch, context_features, dtype=torch.float64) if context_features else None
    z = torch.randn(batch, features, dtype=torch.float64)
    assert_generates_as_inverse(flow, z, context, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda module: type(module).__name__)
@pytest.mark.parametrize("threads", [1, 2])
def test_float32_over_threads(activation, threads):
    flow = flow_of(*(masked(8, hidden=(32, 24), activation=activation) for _ in range(3)), features=8)
    z = torch.randn(200, 8)
    exact = flow.double()().generate(z.double())[0].float()
    flow.float()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.testing.assert_close(MaskedFlowSampler(flow).generate(z), exact, rtol=1e-4, atol=1e-4)
    finally:
        torch.set_num_threads(before)


def test_layers_between_and_inverses_of_layers():
    inner = Compose(masked(5), masked(5, order=[4, 3, 2, 1, 0])).inv
    flow = flow_of(masked(5), Sigmoid(), inner, masked(5).inv, masked(5)).double()
    z = 0.2 * torch.randn(7, 5, dtype=torch.float64)
    x = flow().generate(z)[0]
    inside = x.isfinite().all(-1)
    assert inside.any()
    z = z[inside]
    assert_generates_as_inverse(flow, z, rtol=1e-8, atol=1e-8)


class Softened(nn.Module):
    def forward(self, raw):
        return raw / (1 + raw.abs())


@pytest.mark.parametrize(
    ("transform", "activation", "reason"),
    [
        (MixtureOfLogisticsLogit(2, -9.0), nn.SiLU(), "MixtureOfLogisticsLogit, not Affine"),
        (Affine(log_scale_activation=Softened()), nn.SiLU(), "activation of its log-scale is Softened"),
        (Affine(), nn.Softplus(), "activation is Softplus"),
    ],
    ids=["mixture", "log-scale", "activation"],
)
def test_what_the_kernel_does_not_know_goes_rank_by_rank(transform, activation, reason, caplog):
    odd = masked(5, transform, context_features=2, order=[2, 0, 4, 1, 3], activation=activation)
    flow = flow_of(masked(5, context_features=2), odd).double()
    z, context = torch.randn(6, 5, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64)
    with caplog.at_level(logging.WARNING):
        assert_generates_as_inverse(flow, z, context, rtol=1e-8, atol=1e-8)
    assert len(caplog.records) == 1
    assert "bijection.members.1 (rank by rank in PyTorch, because " in caplog.text
    assert reason in caplog.text


class Shifted(nn.Module):
    num_parameters = 2

    def forward(self, x, context=None):
        before = nn.functional.pad(x, (1, 0))[..., :-1]
        return torch.stack([before.sin(), 0.3 * before.cos()], -1)


def test_another_conditioner_takes_the_inverse_of_its_layer(caplog):
    flow = flow_of(masked(5), Autoregressive(transform=Affine(), conditioner=Shifted())).double()
    with caplog.at_level(logging.WARNING):
        assert_generates_as_inverse(flow, torch.randn(6, 5, dtype=torch.float64), rtol=1e-9, atol=1e-9)
    assert "by its own inverse, because its conditioner is Shifted, not MADE" in caplog.text


def test_contexts_by_name_and_repeated_for_every_draw():
    named = {"speaker": 2, "pitch": 1}
    flow = flow_of(masked(5, context_features=named), masked(5, context_features=named)).double()
    context = {"speaker": torch.randn(3, 2).double(), "pitch": torch.randn(3, 1).double()}
    assert_generates_as_inverse(flow, torch.randn(4, 3, 5).double(), context, rtol=1e-9, atol=1e-9)
    assert MaskedFlowSampler(flow).sample((4, 2), context).shape == (4, 2, 3, 5)
    with pytest.raises(UserError, match="expected a mapping"):
        MaskedFlowSampler(flow).sample((4,), torch.randn(3, 3).double())


def test_draws_are_those_of_the_flow_at_any_temperature():
    flow = flow_of(masked(5), masked(5)).double()
    torch.manual_seed(3)
    own = flow().sample((50,), temperature=0.7)
    torch.manual_seed(3)
    ours = MaskedFlowSampler(flow).sample((50,), temperature=0.7)
    torch.testing.assert_close(ours, own, rtol=1e-9, atol=1e-9)


def test_a_generator_decides_the_draws_and_leaves_torch_alone():
    sampler = MaskedFlowSampler(flow_of(masked(5)))
    state = torch.get_rng_state()
    first = sampler.sample((4,), generator=torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(5)
    again, other = sampler.sample((4,), generator=generator), sampler.sample((4,), generator=generator)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_that_change_are_read_again():
    flow = flow_of(masked(5), masked(5)).double()
    sampler, z = MaskedFlowSampler(flow), torch.randn(6, 5).double()
    before = sampler.generate(z)
    # fused, since such an optimiser changes parameters behind the back of torch's count of their changes
    optimiser = torch.optim.Adam(flow.parameters(), lr=0.1, fused=True)
    flow().log_prob(z).sum().backward()
    optimiser.step()
    after = sampler.generate(z)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, flow().generate(z)[0].detach())
    torch.testing.assert_close(flow.float() and sampler.generate(z.float()), after.float())


def test_refusals():
    flow = flow_of(masked(5), masked(5))
    sampler = MaskedFlowSampler(flow)
    with torch.no_grad():
        flow.bijection.members[1].conditioner.layers[0].bias[2] = torch.nan
    name = r"bijection\.members\.1\.conditioner\.layers\.0\.bias"
    for refused in (sampler.sample, lambda: MaskedFlowSampler(flow)):
        with pytest.raises(UserError, match=f"got NaN in {name}"):
            refused()
    uniform = flow_of(masked(5), base=StandardUniform([5]))
    with pytest.raises(UserError, match="temperature 1 over a base whose mean is not 0"):
        MaskedFlowSampler(uniform).sample((2,), temperature=0.5)
    with pytest.raises(UserError, match="expected 0 features, got 2"):
        MaskedFlowSampler(flow_of(masked(5))).sample((2,), torch.randn(3, 2))

"""Draws by the generator are those of the inverse, and it stands aside where it must."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wavegen.flows import (
    Affine,
    Autoregressive,
    BoundedLogScale,
    Compose,
    Flow,
    MixtureOfLogisticsLogit,
    Sigmoid,
    StandardNormal,
)
from wavegen.flows.masked import generator as module
from wavegen.flows.masked.generator import MaskedGenerator
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


def series(*layers):
    return Compose(*layers, event_dim=1)


@torch.no_grad()
def generated(bijection, z, context=None):
    """By a generator to which no work is too small."""
    return MaskedGenerator(least_work=0)(bijection, z, context)


def assert_generates_as_inverse(bijection, z, context=None, **tolerance):
    own, _ = bijection.inverse(z, context)
    torch.testing.assert_close(generated(bijection, z, context), own.detach(), **tolerance)


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
    transform = Affine(log_scale_activation=BoundedLogScale(0.8) if bounded else None)
    options = {"context_features": context_features, "activation": activation}
    layers = [masked(features, transform, hidden, order=order, **options) for order in orders]
    context = torch.randn(batch, context_features, dtype=torch.float64) if context_features else None
    z = torch.randn(batch, features, dtype=torch.float64)
    assert_generates_as_inverse(series(*layers).double(), z, context, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda module: type(module).__name__)
@pytest.mark.parametrize("threads", [1, 2])
def test_float32_over_threads(activation, threads):
    bijection = series(*(masked(8, hidden=(32, 24), activation=activation) for _ in range(3)))
    z = torch.randn(200, 8)
    exact = bijection.double().inverse(z.double())[0].float().detach()
    bijection.float()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.testing.assert_close(generated(bijection, z), exact, rtol=1e-4, atol=1e-4)
    finally:
        torch.set_num_threads(before)


def test_layers_between_and_inverses_of_layers():
    inner = Compose(masked(5), masked(5, order=[4, 3, 2, 1, 0])).inv
    bijection = series(masked(5), Sigmoid(), inner, masked(5).inv, masked(5)).double()
    z = 0.2 * torch.randn(7, 5, dtype=torch.float64)
    inside = bijection.inverse(z)[0].isfinite().all(-1)
    assert inside.any()
    assert_generates_as_inverse(bijection, z[inside], rtol=1e-8, atol=1e-8)


class Softened(nn.Module):
    def forward(self, raw):
        return raw / (1 + raw.abs())


@pytest.mark.parametrize(
    ("transform", "activation"),
    [
        (MixtureOfLogisticsLogit(2, -9.0), nn.SiLU()),
        (Affine(log_scale_activation=Softened()), nn.SiLU()),
        (Affine(), nn.Softplus()),
    ],
    ids=["mixture", "log-scale", "activation"],
)
@pytest.mark.parametrize("batch", [6, 300])
def test_what_the_kernel_does_not_know_goes_rank_by_rank_where_that_is_faster(
    transform, activation, batch, monkeypatch
):
    odd = masked(5, transform, context_features=2, order=[2, 0, 4, 1, 3], activation=activation)
    bijection = series(masked(5, context_features=2), odd).double()
    z, context = torch.randn(batch, 5, dtype=torch.float64), torch.randn(batch, 2, dtype=torch.float64)
    assert_generates_as_inverse(bijection, z, context, rtol=1e-8, atol=1e-8)
    inverted = []
    monkeypatch.setattr(odd, "inverse", lambda z, context: inverted.append(z) or (z, z.sum(-1)))
    generated(bijection, z, context)
    assert bool(inverted) == (batch < 256)


class Shifted(nn.Module):
    num_parameters = 2

    def forward(self, x, context=None):
        before = nn.functional.pad(x, (1, 0))[..., :-1]
        return torch.stack([before.sin(), 0.3 * before.cos()], -1)


class OwnMADE(MADE):
    """Might compute anything."""


def own_made():
    return Autoregressive(transform=Affine(), conditioner=OwnMADE(5, 2, [8]))


def hooked():
    layer = masked(5)
    layer.conditioner.layers[0].register_forward_hook(lambda module, given, result: 2 * result)
    return layer


def with_another_layer():
    layer = masked(5)
    layer.conditioner.layers[0] = nn.Sequential(layer.conditioner.layers[0], nn.Tanh())
    return layer


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Autoregressive(transform=Affine(), conditioner=Shifted()),
        own_made,
        hooked,
        with_another_layer,
        lambda: masked(5, activation=nn.PReLU(1)),
        lambda: masked(5).inv,
    ],
    ids=["conditioner", "subclass", "hook", "replaced layer", "activation", "inverse"],
)
def test_a_layer_that_is_not_ranked_takes_its_own_inverse(layer):
    layer = layer()
    z = torch.randn(6, 5, dtype=torch.float64)
    assert generated(layer.double(), z) is None
    assert_generates_as_inverse(series(masked(5), layer).double(), z, rtol=1e-9, atol=1e-9)


def test_contexts_by_name():
    named = {"speaker": 2, "pitch": 1}
    bijection = series(masked(5, context_features=named), masked(5, context_features=named)).double()
    context = {"speaker": torch.randn(4, 2).double(), "pitch": torch.randn(4, 1).double()}
    assert_generates_as_inverse(bijection, torch.randn(4, 5).double(), context, rtol=1e-9, atol=1e-9)


def test_only_large_work_is_worth_it():
    bijection = series(masked(4, hidden=(10,)), masked(4, hidden=(10,)))
    weights = 2 * (4 * 10 + 10 + 10 * 8 + 8)
    least = MaskedGenerator(least_work=weights * 4 * 7)
    with torch.no_grad():
        assert least(bijection, torch.randn(7, 4), None) is not None
        assert least(bijection, torch.randn(6, 4), None) is None
        assert MaskedGenerator()(bijection, torch.randn(7, 4), None) is None


def meta(flow):
    return flow.to("meta"), torch.randn(6, 5, device="meta"), None


def with_a_nan(flow):
    with torch.no_grad():
        flow.members[1].conditioner.layers[0].bias[2] = torch.nan
    return flow, torch.randn(6, 5), None


@pytest.mark.parametrize(
    "case",
    [
        meta,
        with_a_nan,
        lambda flow: (flow.bfloat16(), torch.randn(6, 5).bfloat16(), None),
        lambda flow: (flow, torch.randn(6, 5).double(), None),
        lambda flow: (flow, torch.randn(6, 5), torch.full((6, 1), torch.inf)),
    ],
    ids=["device", "NaN", "half", "dtypes", "context"],
)
def test_it_stands_aside(case):
    flow = series(masked(5), masked(5))
    assert generated(flow, torch.randn(6, 5)) is not None
    assert generated(*case(flow)) is None


def test_it_stands_aside_under_autocast_and_transforms_of_functions():
    bijection, z = series(masked(5)), torch.randn(6, 5)
    with torch.autocast("cpu", torch.bfloat16):
        assert generated(bijection, z) is None
    seen = []
    torch.func.vmap(lambda row: seen.append(generated(bijection, row[None], None)) or row)(z)
    assert seen == [None]


def test_weights_that_change_are_packed_again_and_others_are_not(monkeypatch):
    packed, pack = [], module._pack
    monkeypatch.setattr(module, "_pack", lambda given: packed.append(given) or pack(given))
    bijection, z = series(masked(5), masked(5)).double(), torch.randn(6, 5).double()
    generator = MaskedGenerator(least_work=0)

    def assert_current(times):
        with torch.no_grad():
            found = generator(bijection, z, None)
            generator(bijection, z, None)
        torch.testing.assert_close(found, bijection.inverse(z)[0].detach())
        assert len(packed) == times

    assert_current(1)
    # fused, since such an optimiser changes parameters behind the back of torch's count of their changes
    optimiser = torch.optim.Adam(bijection.parameters(), lr=0.1, fused=True)
    bijection(z)[1].sum().backward()
    optimiser.step()
    assert_current(2)
    bijection.members[0].conditioner.activation = nn.Tanh()  # no weight
    assert_current(3)
    bijection.members.append(masked(5).double())
    assert_current(4)


def flow_of(*layers, features=5):
    flow = Flow(bijection=series(*layers), base=StandardNormal((features,)), context_rank=1)
    flow._generator = MaskedGenerator(least_work=0)
    return flow


def assert_draws_as_inverse(flow, context=None, **tolerance):
    torch.manual_seed(3)
    own = flow(context).rsample((4, 2)).detach()
    torch.manual_seed(3)
    torch.testing.assert_close(flow(context).sample((4, 2)), own, rtol=1e-9, atol=1e-9)


def test_a_flow_draws_from_the_same_noise_as_its_inverse(monkeypatch):
    flow = flow_of(masked(5, context_features=2), masked(5, context_features=2)).double()
    context = torch.randn(3, 2).double()
    assert_draws_as_inverse(flow, context)
    monkeypatch.setattr(Autoregressive, "inverse", None)  # not called by ``sample``
    assert flow(context).sample((4,), temperature=0.5).shape == (4, 3, 5)
    assert flow(context[0]).sample().shape == (5,)
    assert flow(context[:0]).sample((2,)).shape == (2, 0, 5)


def test_copies_pickles_and_loaded_weights_draw_from_their_own_weights():
    flow = flow_of(masked(5), masked(5)).double()
    names = list(flow.state_dict())
    flow().sample((3,))
    assert list(flow.state_dict()) == names
    copied, pickled = copy.deepcopy(flow), pickle.loads(pickle.dumps(flow))
    fresh = flow_of(masked(5), masked(5)).double()
    fresh().sample((3,))
    fresh.load_state_dict(flow.state_dict())
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.1)
    for other in (flow, copied, pickled, fresh):
        assert_draws_as_inverse(other)
    torch.testing.assert_close(
        copied.decode(torch.ones(1, 5).double()), fresh.decode(torch.ones(1, 5).double())
    )


def test_other_dtypes_and_transforms_draw_as_before():
    flow = flow_of(masked(5))
    flow().sample((3,))
    assert flow.bfloat16()().sample((3,)).isfinite().all()
    assert_draws_as_inverse(flow.double())
    parameters = {name: parameter.detach() for name, parameter in flow.named_parameters()}
    stacked = {name: torch.stack([parameter, 2 * parameter]) for name, parameter in parameters.items()}
    z = torch.randn(6, 5).double()

    def density_of_draws(values):
        x = torch.func.functional_call(flow, values)
        return x.log_prob(z)

    assert torch.func.vmap(density_of_draws)(stacked).shape == (2, 6)
    drawn = torch.func.vmap(lambda row: flow().sample() + row, randomness="different")(z)
    assert drawn.shape == (6, 5)


def test_weights_that_are_not_finite_raise_nothing_new():
    flow = flow_of(masked(5))
    with torch.no_grad():
        flow.bijection.members[0].conditioner.layers[0].bias[2] = torch.nan
    assert flow().sample((3,)).isnan().any()

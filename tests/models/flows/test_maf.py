"""RealNVP as the special case of MAF and of IAF whose conditioner only looks at the first half."""

import pytest
import torch
from torch import nn

from wavegen.flows import Affine, Autoregressive, Compose, Coupling, Flow, HalfSplit, StandardNormal
from wavegen.models.flows.maf import iaf, maf
from wavegen.nets.made import MADE
from wavegen.nets.mlp import MLP

FEATURES, HALF, HIDDEN = 6, 3, 8


@pytest.fixture
def coupling():
    torch.manual_seed(0)
    conditioner = MLP(HALF, HALF, 2, [HIDDEN, HIDDEN], initial_std=0.5)
    return Coupling(split=HalfSplit(), transform=Affine(), conditioner=conditioner).double()


def made_of(conditioner: MLP) -> MADE:
    """The MADE whose first half has parameters 0 and whose second half has the coupling's.

    Hidden units see features of rank below ``HALF``, as many as the coupling's, and the rest of the units
    and all other weights are zero: masks permit more than a coupling uses.
    """
    made = MADE(FEATURES, 2, [HIDDEN * (FEATURES - 1)] * 2).double()
    # a unit of degree HALF − 1 sees features 0 … HALF − 1, and is seen by the outputs of the second half
    first, second, last = made.layers
    units = (first.mask.sum(1) == HALF).nonzero().squeeze(1)
    assert len(units) == HIDDEN
    with torch.no_grad():
        for layer in made.layers:
            layer.weight.zero_()
            layer.bias.zero_()
        ours = conditioner.layers
        first.weight[units, :HALF] = ours[0].weight
        first.bias[units] = ours[0].bias
        second.weight[units.unsqueeze(1), units] = ours[1].weight
        second.bias[units] = ours[1].bias
        last.weight[2 * HALF :, units] = ours[2].weight
        last.bias[2 * HALF :] = ours[2].bias
    # no weight that was copied is masked away
    for layer in made.layers:
        assert torch.equal(layer.weight * layer.mask, layer.weight)
    return made


@pytest.fixture
def x():
    return torch.randn(5, FEATURES, dtype=torch.float64)


def test_real_nvp_is_a_masked_autoregressive_flow(coupling, x):
    flow = Autoregressive(transform=Affine(), conditioner=made_of(coupling.conditioner))
    z, log_det = coupling(x)
    assert not torch.equal(z[:, HALF:], x[:, HALF:]) and torch.equal(z[:, :HALF], x[:, :HALF])
    for ours, theirs in zip(flow(x), (z, log_det), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


class Negated(nn.Module):
    """Parameters of the inverse affine map whose argument is on the other side: −log_scale, and
    −loc · exp(−log_scale).
    """

    num_parameters = 2

    def __init__(self, conditioner):
        super().__init__()
        self.conditioner = conditioner

    def forward(self, x, context=None):
        loc, log_scale = self.conditioner(x, context).unbind(-1)
        return torch.stack([-loc * torch.exp(-log_scale), -log_scale], -1)


def test_real_nvp_is_an_inverse_autoregressive_flow(coupling, x):
    """IAF generates x_i = z_i s_i(z_<i) + m_i(z_<i). The first half of a coupling is the same in x and z, so
    that its g is an IAF whose conditioner reads z there, with the inverse affine map's parameters.
    """
    flow = Autoregressive(transform=Affine(), conditioner=Negated(made_of(coupling.conditioner))).inv
    for ours, theirs in zip(flow.inverse(x), coupling.inverse(x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    # and therefore in the direction that an IAF has to iterate
    for ours, theirs in zip(flow(x), coupling(x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_stacks_of_both_have_the_same_density(coupling, x):
    swapped = Coupling(
        split=HalfSplit().swapped,
        transform=Affine(),
        conditioner=MLP(HALF, HALF, 2, [HIDDEN, HIDDEN], initial_std=0.5),
    ).double()
    made = made_of(swapped.conditioner)
    # the second half comes first: ranks 3, 4, 5, 0, 1, 2
    order = [(i + HALF) % FEATURES for i in range(FEATURES)]
    turned = MADE(FEATURES, 2, [HIDDEN * (FEATURES - 1)] * 2, order=order).double()
    with torch.no_grad():
        turned.load_state_dict(
            {k: v for k, v in made.state_dict().items() if "mask" not in k and k != "order"}, strict=False
        )
        turned.layers[0].weight.copy_(made.layers[0].weight.roll(HALF, 1))
        turned.layers[2].weight.copy_(made.layers[2].weight.roll(2 * HALF, 0))
        turned.layers[2].bias.copy_(made.layers[2].bias.roll(2 * HALF, 0))
    base = StandardNormal((FEATURES,)).double()
    real_nvp = Flow(bijection=Compose(coupling, swapped), base=base)
    as_maf = Flow(
        bijection=Compose(
            Autoregressive(transform=Affine(), conditioner=made_of(coupling.conditioner)),
            Autoregressive(transform=Affine(), conditioner=turned),
        ),
        base=base,
    )
    torch.testing.assert_close(as_maf().log_prob(x), real_nvp().log_prob(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(as_maf().generate(x)[0], real_nvp().generate(x)[0], rtol=1e-10, atol=1e-10)


def test_iaf_is_maf_read_in_the_other_direction(x):
    torch.manual_seed(0)
    settings = {"features": FEATURES, "num_flows": 3, "hidden": [10]}
    forward, backward = maf(**settings).double(), iaf(**settings).double()
    backward.bijection.inv.load_state_dict(forward.bijection.state_dict())
    for ours, theirs in zip(backward().generate(x), forward().normalise(x), strict=True):
        assert torch.equal(ours, theirs)


def test_orders_are_reversed_by_turns():
    orders = [layer.conditioner.order.tolist() for layer in maf(features=3, num_flows=3).bijection.members]
    assert orders == [[0, 1, 2], [2, 1, 0], [0, 1, 2]]


@pytest.mark.parametrize("model", [maf, iaf])
def test_a_context_has_any_batch_shape(model):
    flow = model(features=3, context_features=5)
    assert flow(torch.randn(5)).log_prob(torch.randn(3)).shape == ()
    assert flow(torch.randn(5)).sample((4,)).shape == (4, 3)
    assert flow(torch.randn(2, 4, 5)).log_prob(torch.randn(2, 4, 3)).shape == (2, 4)
    named = model(features=3, context_features={"a": 5, "b": 2})
    assert named({"a": torch.randn(4, 5), "b": torch.randn(2)}).sample().shape == (4, 3)

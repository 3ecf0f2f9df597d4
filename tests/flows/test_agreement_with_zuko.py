"""Densities of other libraries from copied weights: zuko's MAF, coupling and spline flows, nflows' spline.

Where a parametrisation differs, the test maps it: zuko clips the logarithm of a scale softly, and
normalises bins and derivatives of a spline by other functions of the raw numbers than Durkan et al. do.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wavegen.flows import (
    Affine,
    AlternatingSplit,
    Autoregressive,
    Compose,
    Coupling,
    Flow,
    RationalQuadraticSpline,
    StandardNormal,
)
from wavegen.nets.made import MADE

zuko = pytest.importorskip("zuko")

SLOPE = 1e-3
FEATURES, CONTEXT = 5, 3
CLOSE = {"rtol": 1e-11, "atol": 1e-10}  # in float64; the promise is 1e-5


class SoftClip(nn.Module):
    """x / (1 + |x| / bound): zuko's raw number → the logarithm that it uses."""

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.bound = bound

    def forward(self, raw):
        return raw / (1 + (raw / self.bound).abs())


class ZukoSpline(nn.Module):
    """Our spline, read from zuko's raw parameters."""

    def __init__(self, num_bins: int, bound: float) -> None:
        super().__init__()
        self.num_bins = num_bins
        self.spline = RationalQuadraticSpline(
            num_bins, bound, min_bin_width=1e-6, min_bin_height=1e-6, min_derivative=1e-6
        )
        self.num_parameters = self.spline.num_parameters
        self.of_bins = SoftClip(-math.log(SLOPE) / 2)
        self.of_derivatives = SoftClip(-math.log(SLOPE))

    def _map(self, raw):
        widths, heights, derivatives = raw.split((self.num_bins, self.num_bins, self.num_bins - 1), -1)

        def bins(part, minimum):
            fractions = torch.softmax(self.of_bins(part), -1)
            return torch.log((fractions - minimum) / (1 - minimum * self.num_bins))

        slopes = torch.exp(self.of_derivatives(derivatives)) - self.spline.min_derivative
        shift = math.log(math.expm1(1 - self.spline.min_derivative))
        return torch.cat(
            (
                bins(widths, self.spline.min_bin_width),
                bins(heights, self.spline.min_bin_height),
                torch.log(torch.expm1(slopes)) - shift,
            ),
            -1,
        )

    def forward(self, x, raw):
        return self.spline(x, self._map(raw))

    def inverse(self, z, raw):
        return self.spline.inverse(z, self._map(raw))


class Wrapped(nn.Module):
    """A net of theirs as the conditioner of one of our couplings."""

    def __init__(self, net: nn.Module, num_parameters: int) -> None:
        super().__init__()
        self.net, self.num_parameters = net, num_parameters

    def forward(self, kept, context=None):
        inputs = kept if context is None else torch.cat((kept, context), -1)
        return self.net(inputs).unflatten(-1, (-1, self.num_parameters))


def made_of(theirs, num_parameters: int, context_features: int) -> MADE:
    """Our MADE with the weights of zuko's masked net, whose hidden units are sorted by degree as ours are.

    Raises where the masks, ours by construction, are not theirs.
    """
    linears = [layer for layer in theirs.hyper if isinstance(layer, nn.Linear)]
    widths = [layer.out_features for layer in linears[:-1]]
    made = MADE(
        FEATURES, num_parameters, widths, context_features, theirs.order.tolist(), activation=nn.ReLU()
    ).double()
    state = {}
    columns = torch.arange(FEATURES)
    seen = torch.eye(FEATURES + context_features)
    for index, layer in enumerate(linears):
        last = index == len(linears) - 1
        mask, weight = layer.mask, layer.weight.detach()
        # a unit's degree is how many inputs it sees; theirs take turns, ours stand in blocks
        seen = (mask.float() @ seen > 0).float()
        rows = torch.arange(len(weight)) if last else seen.sum(1).argsort(stable=True)
        assert torch.equal(mask[rows][:, columns], made.layers[index].mask), f"masks of layer {index}"
        state[f"layers.{index}.weight"] = weight[rows][:, columns]
        state[f"layers.{index}.bias"] = layer.bias.detach()[rows]
        if context_features and not last:
            # theirs lets the context in at the first layer only
            entering = weight[rows][:, FEATURES:] if index == 0 else torch.zeros(widths[index], CONTEXT)
            state[f"context_layers.{index}.weight"] = entering
        columns = rows
    missing = made.load_state_dict(state, strict=False).missing_keys
    assert all("mask" in name or name == "order" for name in missing)
    return made


def autoregressive_flow(theirs, transform, context_features):
    layers = [
        Autoregressive(
            transform=transform, conditioner=made_of(layer, transform.num_parameters, context_features)
        )
        for layer in theirs.transform.transforms
    ]
    return Flow(bijection=Compose(*layers), base=StandardNormal((FEATURES,))).double()


def affine():
    return Affine(log_scale_activation=SoftClip(-math.log(SLOPE)))


def strengthen(theirs):
    """Fresh nets are nearly the identity, where any two flows agree."""
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return theirs.double()


def assert_same_density(ours, theirs, context):
    x = 1.5 * torch.randn(64, FEATURES, dtype=torch.float64)
    expected = theirs(context).log_prob(x)
    assert expected.std() > 0.5
    torch.testing.assert_close(ours(context).log_prob(x), expected, **CLOSE)
    z = torch.randn(64, FEATURES, dtype=torch.float64)
    x, log_det = ours(context).generate(z)
    expected_x, expected_log_det = theirs(context).transform.inv.call_and_ladj(z)
    torch.testing.assert_close(x, expected_x, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(log_det, expected_log_det, rtol=1e-7, atol=1e-7)


def context_of(context_features):
    return torch.randn(64, context_features, dtype=torch.float64) if context_features else None


@pytest.mark.parametrize("context_features", [0, CONTEXT])
@pytest.mark.parametrize("randperm", [False, True])
def test_masked_autoregressive_flow(context_features, randperm):
    torch.manual_seed(0)
    # as many units as make the degrees of both libraries the same multiset
    theirs = strengthen(
        zuko.flows.MAF(FEATURES, context_features, transforms=3, randperm=randperm, hidden_features=(20, 40))
    )
    ours = autoregressive_flow(theirs, affine(), context_features)
    assert_same_density(ours, theirs, context_of(context_features))


def test_masked_autoregressive_flow_in_float32_to_the_promise():
    torch.manual_seed(0)
    theirs = strengthen(zuko.flows.MAF(FEATURES, transforms=3, hidden_features=(20, 20)))
    ours = autoregressive_flow(theirs, affine(), 0)
    x = torch.randn(64, FEATURES, dtype=torch.float64)
    expected = theirs().log_prob(x)
    error = (ours.float()().log_prob(x.float()).double() - expected).abs()
    assert (error / expected.abs().clamp(min=1)).max() < 1e-5


@pytest.mark.parametrize("context_features", [0, CONTEXT])
def test_neural_spline_flow(context_features):
    torch.manual_seed(0)
    theirs = strengthen(
        zuko.flows.NSF(FEATURES, context_features, transforms=2, bins=6, hidden_features=(20, 20))
    )
    ours = autoregressive_flow(theirs, ZukoSpline(6, 5.0), context_features)
    assert_same_density(ours, theirs, context_of(context_features))


@pytest.mark.parametrize("context_features", [0, CONTEXT])
def test_affine_coupling(context_features):
    torch.manual_seed(0)
    theirs = strengthen(
        zuko.flows.RealNVP(FEATURES, context_features, transforms=4, hidden_features=(16, 16))
    )
    layers = []
    for layer in theirs.transform.transforms:
        keeps_even = bool(layer.mask[0])
        split = AlternatingSplit() if keeps_even else AlternatingSplit().swapped
        layers.append(Coupling(split=split, transform=affine(), conditioner=Wrapped(layer.hyper, 2)))
    ours = Flow(bijection=Compose(*layers), base=StandardNormal((FEATURES,))).double()
    assert_same_density(ours, theirs, context_of(context_features))


def test_spline_of_zuko_element_by_element():
    torch.manual_seed(0)
    raw = 3 * torch.randn(500, 3 * 8 - 1, dtype=torch.float64)
    x = torch.linspace(-6, 6, 500, dtype=torch.float64)
    theirs = zuko.transforms.MonotonicRQSTransform(*raw.split((8, 8, 7), -1), bound=5.0, slope=SLOPE)
    ours = ZukoSpline(8, 5.0)
    for direction, reference in ((ours.forward, theirs), (ours.inverse, theirs.inv)):
        for value, expected in zip(direction(x, raw), reference.call_and_ladj(x), strict=True):
            torch.testing.assert_close(value, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("num_bins", [2, 8])
@pytest.mark.parametrize("inverse", [False, True], ids=["forward", "inverse"])
def test_spline_of_nflows_element_by_element(num_bins, inverse):
    reference = pytest.importorskip("nflows.transforms.splines.rational_quadratic")
    torch.manual_seed(0)
    spline = RationalQuadraticSpline(
        num_bins, bound=2.5, min_bin_width=2e-3, min_bin_height=3e-3, min_derivative=4e-3
    )
    widths, heights, derivatives = (
        1.5 * torch.randn(500, count, dtype=torch.float64) for count in (num_bins, num_bins, num_bins - 1)
    )
    # theirs starts at derivative softplus(0), ours at 1
    shift = math.log(math.expm1(1 - 4e-3))
    parameters = torch.cat((widths, heights, derivatives - shift), -1)
    value = torch.linspace(-3, 3, 500, dtype=torch.float64)
    expected = reference.unconstrained_rational_quadratic_spline(
        value,
        widths,
        heights,
        derivatives,
        inverse=inverse,
        tails="linear",
        tail_bound=2.5,
        min_bin_width=2e-3,
        min_bin_height=3e-3,
        min_derivative=4e-3,
    )
    got = spline.inverse(value, parameters) if inverse else spline(value, parameters)
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_spline_of_nflows_inside_its_own_interval():
    """Their bounded form, whose derivatives at the ends are free: with ours there, 1."""
    reference = pytest.importorskip("nflows.transforms.splines.rational_quadratic")
    torch.manual_seed(0)
    widths, heights = torch.randn(200, 4, dtype=torch.float64), torch.randn(200, 4, dtype=torch.float64)
    inner = torch.randn(200, 3, dtype=torch.float64)
    one = math.log(math.expm1(1 - 1e-3))
    x = torch.rand(200, dtype=torch.float64) * 4 - 2
    z, log_derivative = reference.rational_quadratic_spline(
        x, widths, heights, F.pad(inner, (1, 1), value=one), left=-2.0, right=2.0, bottom=-2.0, top=2.0
    )
    ours = RationalQuadraticSpline(4, bound=2.0)(x, torch.cat((widths, heights, inner - one), -1))
    torch.testing.assert_close(ours[0], z, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours[1], log_derivative, rtol=1e-10, atol=1e-10)

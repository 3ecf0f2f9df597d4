import math

import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import (
    ActNorm,
    Compose,
    Rescale,
    Squeeze,
)
from wavegen.models.flows.multiscale import multiscale, require_scales
from wavegen.models.flows.priors import standard_prior


def test_scales_are_built_from_the_finest_on():
    seen = []

    def scale(shape, index):
        seen.append((index, tuple(shape)))
        return Squeeze()

    flow = multiscale((1, 8, 8), num_scales=3, scale=scale, prior=standard_prior)
    assert seen == [(0, (1, 8, 8)), (1, (2, 4, 4)), (2, (4, 2, 2))]
    assert flow.forward_shape((1, 8, 8)) == (64, 1, 1)


def test_the_prior_is_built_for_all_channels_at_each_factor_out():
    seen = []

    def prior(shape):
        seen.append(tuple(shape))
        return ActNorm(shape[0])

    flow = multiscale((3, 8, 8), num_scales=3, scale=lambda shape, index: Squeeze(), prior=prior)
    assert sorted(seen) == [(12, 4, 4), (24, 2, 2)]
    assert [layer.num_channels for layer in flow.modules() if isinstance(layer, ActNorm)] == [12, 24]


def test_half_of_the_channels_of_the_first_scale_see_no_other_scale():
    def scale(shape, index):
        squeeze = Squeeze()
        return squeeze if index == 0 else Compose(squeeze, Rescale(scale=2.0))

    flow = multiscale((1, 4, 4), num_scales=2, scale=scale, prior=standard_prior)
    z, log_det = flow(torch.ones(1, 1, 4, 4))
    assert z.shape == (1, 16, 1, 1)
    assert (z == 2).sum() == (z == 1).sum() == 8
    torch.testing.assert_close(log_det.item(), 8 * math.log(2))


def test_a_shape_that_can_be_halved_so_often_is_handed_back():
    assert require_scales("m", [3, 8, 12], 2) == torch.Size((3, 8, 12))


@pytest.mark.parametrize(
    ("shape", "num_scales", "message"),
    [
        ((1, 8, 12), 3, r"m: expected a height and width divisible by 2\^3 = 8 for 3 scales, got 8 × 12"),
        ((1, 0, 8), 1, "got 0 × 8"),
        ((8, 8), 1, r"at least one scale, got \(8, 8\) and 1"),
        ((1, 8, 8), 0, r"at least one scale, got \(1, 8, 8\) and 0"),
    ],
)
def test_a_shape_that_cannot_is_named(shape, num_scales, message):
    with pytest.raises(UserError, match=message):
        require_scales("m", shape, num_scales)

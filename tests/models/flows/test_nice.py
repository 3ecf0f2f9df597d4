import math
from functools import partial

import torch
from torch import nn

from wavegen.flows import ActNorm, StandardNormal
from wavegen.models.flows.nice import nice, nice_image


def off_the_start(flow):
    for parameter in flow.parameters():
        nn.init.normal_(parameter, std=0.3)
    return flow.double()


def test_only_the_scaling_changes_volume():
    flow = off_the_start(nice(features=4, hidden=[5], num_couplings=3))
    x = torch.randn(6, 4, dtype=torch.float64)
    _, log_det = flow.bijection(x)
    scaling = flow.bijection.members[-1]
    torch.testing.assert_close(log_det, scaling.log_scale.sum().expand(6))
    assert log_det.abs().min() > 0.01


def test_a_fresh_flow_is_independent_logistics():
    x = torch.randn(6, 3, dtype=torch.float64)
    log_prob = nice(features=3, hidden=[5]).double()().log_prob(x)
    torch.testing.assert_close(log_prob, (-x - 2 * torch.log1p((-x).exp())).sum(-1))


def test_even_features_move_second():
    """The first coupling adds to the odd features a function of the even ones, the next the other way."""
    for count, moved in ((1, [1, 3]), (2, [0, 1, 2, 3])):
        flow = off_the_start(nice(features=4, hidden=[5], num_couplings=count))
        nn.init.zeros_(flow.bijection.members[-1].log_scale)
        x = torch.randn(1, 4, dtype=torch.float64)
        z, _ = flow.bijection(x)
        assert (z != x)[0].nonzero().flatten().tolist() == moved


def test_another_scaling_and_another_base_are_taken():
    flow = nice(features=3, hidden=[5], scaling=partial(ActNorm, event_dim=1), base=StandardNormal)
    x = 7 + 3 * torch.randn(100, 3)
    flow.train()().log_prob(x)
    z, _ = flow().normalise(x)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(3), rtol=0, atol=1e-3)


def test_an_image_is_read_row_by_row_in_bits_of_256_levels():
    flow = nice_image(image_shape=(1, 2, 3), hidden=[5], num_couplings=2, base=StandardNormal).double()
    x = torch.randint(0, 256, (4, 1, 2, 3)).double()
    log_prob = flow().log_prob(x)
    # a fresh flow: a standard normal of the pixel in (−½, ½), each 1/256 wide; noise moves it within the cell
    low, high = (x / 256 - 0.5).abs(), ((x + 1) / 256 - 0.5).abs()
    offset = 6 * (0.5 * math.log(2 * math.pi) + math.log(256))
    nearest, farthest = (
        -0.5 * pick(low, high).square().flatten(1).sum(1) - offset for pick in (torch.minimum, torch.maximum)
    )
    assert (log_prob <= nearest).all() and (log_prob >= farthest).all()
    z, _ = flow.bijection.members[-1](x)
    assert torch.equal(z, x.flatten(1))

"""The protocol of densities: what a flow offers, what a model that is no flow need not."""

import pytest
import torch
from torch import nn
from torch.distributions import Independent

from wavegen.distributions.discrete_heads import CategoricalHead
from wavegen.flows import Chain, Compose, Flow, Rescale, StandardNormal, UniformDequantization
from wavegen.models.density import OPTIONAL, DensityModel, offers


class Histograms(nn.Module):
    def __init__(self, shape, num_levels):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(*shape, num_levels))
        self.head = CategoricalHead(num_levels)

    def forward(self, context=None):
        return Independent(self.head(self.logits), self.logits.dim() - 1)


def image_flow():
    chain = Chain(UniformDequantization(4), Compose(Rescale(scale=6.0, loc=-3.0)))
    return Flow(bijection=chain, base=StandardNormal((1, 2, 2)))


def test_a_flow_offers_everything_and_a_distribution_alone_is_enough():
    assert isinstance(image_flow(), DensityModel) and offers(image_flow(), *OPTIONAL)
    histograms = Histograms((1, 2, 2), 4)
    assert isinstance(histograms, DensityModel) and not any(offers(histograms, name) for name in OPTIONAL)
    with pytest.raises(ValueError, match="unknown methods"):
        offers(histograms, "latent")


def test_a_flows_offers_agree_with_one_another():
    flow, x = image_flow(), torch.randint(4, (5, 1, 2, 2)).float()
    z = flow.latents(x)
    assert torch.equal(flow.decode(z), x), "dequantisation is undone"
    seen, returned = flow.reconstruct(x)
    assert torch.equal((seen * 4).floor(), x)
    torch.testing.assert_close(returned, seen)
    drawn, again = flow.reconstruct_draws(z)
    torch.testing.assert_close(drawn, again)
    assert flow.prior().sample((2,)).shape == (2, 1, 2, 2)
    between = flow.interpolate(x[:2], x[2:4], [0.0, 0.5, 1.0])
    assert between.shape == (3, 2, 1, 2, 2)
    assert torch.equal(between[0], x[:2]) and torch.equal(between[2], x[2:4])

import pytest
import torch

from wavegen.flows import (
    ActNorm,
    Coupling,
    InvertibleConvolution,
    Permutation,
    Squeeze,
)
from wavegen.models.flows.glow import glow, invertible_1x1, lu_1x1, reverse, shuffle
from wavegen.runs.weights import build_model


def test_ablation_is_configuration():
    """Every cell of Glow's ablation, as a configuration says it."""
    for transform in (
        {"_target_": "wavegen.flows.Additive"},
        {"_target_": "wavegen.models.flows.real_nvp.bounded_affine"},
    ):
        for permutation in ("reverse", "shuffle", "invertible_1x1", "lu_1x1"):
            flow = build_model(
                {
                    "_target_": "wavegen.models.flows.glow.glow",
                    "image_shape": [1, 8, 8],
                    "num_steps": 2,
                    "hidden_channels": 4,
                    "transform": transform,
                    "permutation": {
                        "_target_": f"wavegen.models.flows.glow.{permutation}",
                        "_partial_": True,
                    },
                    "prior": {"_target_": "wavegen.models.flows.priors.standard_prior", "_partial_": True},
                    "preprocessing": {"_target_": "wavegen.models.flows.dequantized.scaled_logit"},
                },
                source="flow_model",
            )
            assert flow().log_prob(torch.randint(0, 256, (2, 1, 8, 8))).isfinite().all()


def test_glow_counts_its_steps_over_all_scales():
    """The number of a step is the seed of its shuffle."""
    seen = []

    def permutation(num_channels, index):
        seen.append((num_channels, index))
        return shuffle(num_channels, index)

    flow = glow(image_shape=(1, 4, 4), num_steps=3, hidden_channels=4, permutation=permutation)
    assert sorted(seen, key=lambda step: step[1]) == [(4, 0), (4, 1), (4, 2), (8, 3), (8, 4), (8, 5)]
    assert sum(isinstance(layer, Permutation) for layer in flow.modules()) == 6


@pytest.mark.parametrize("make", [reverse, shuffle, invertible_1x1, lu_1x1])
def test_every_permutation_keeps_volume_at_its_start_and_returns(make):
    layer = make(4, 3).double()
    x = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    z, log_det = layer(x)
    torch.testing.assert_close(log_det, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-5)
    torch.testing.assert_close(layer.inverse(z)[0], x)
    # a rotation or an order of channels: lengths stay
    torch.testing.assert_close(z.norm(dim=1), x.norm(dim=1), rtol=1e-5, atol=1e-5)


def test_orders_of_channels_are_those_of_their_names():
    x = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert reverse(6, 0)(x)[0].flatten().tolist() == [5, 4, 3, 2, 1, 0]
    first, again, other = (shuffle(6, seed)(x)[0].flatten().tolist() for seed in (1, 1, 2))
    assert first == again != other and sorted(first) == list(range(6))


def test_a_step_is_actnorm_permutation_and_coupling():
    flow = glow(image_shape=(1, 4, 4), num_scales=1, num_steps=2, hidden_channels=4)
    kinds = [type(layer) for layer in flow.bijection.members[-1].members]
    assert kinds == [Squeeze] + 2 * [ActNorm, InvertibleConvolution, Coupling]

import pytest
import torch

from wavegen.flows import (
    ActNorm,
    Coupling,
    HalfSplit,
    StandardLogistic,
)
from wavegen.models.flows.real_nvp import bounded_affine, real_nvp, real_nvp_image


def test_actnorm_can_stand_in_vectors():
    torch.manual_seed(0)
    flow = real_nvp(features=4, hidden=[4], normalisation=lambda features: ActNorm(features, event_dim=1))
    x = 5 + 3 * torch.randn(50, 4)
    flow().log_prob(x)
    z, _ = flow().normalise(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(4), atol=1e-5, rtol=0)


def test_the_default_transform_never_scales_beyond_e_squared():
    affine = bounded_affine()
    x = torch.ones(3, dtype=torch.float64)
    parameters = torch.tensor([[0.5, -1e3], [0.5, 0.0], [0.5, 1e3]], dtype=torch.float64)
    z, log_det = affine(x, parameters)
    assert log_det.tolist() == pytest.approx([-2, 0, 2])
    torch.testing.assert_close(z, log_det.exp() + 0.5)


def test_a_fresh_flow_of_vectors_is_its_base():
    flow = real_nvp(features=5, hidden=[4], num_couplings=2, base=StandardLogistic).double()
    x = torch.randn(3, 5, dtype=torch.float64)
    torch.testing.assert_close(flow().log_prob(x), StandardLogistic((5,)).double()().log_prob(x))


def test_the_first_coupling_moves_what_the_split_says():
    flow = real_nvp(features=4, hidden=[4], num_couplings=1, split=HalfSplit()).double()
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(3, 4, dtype=torch.float64)
    z, _ = flow().normalise(x)
    assert torch.equal(z[:, :2], x[:, :2]) and (z[:, 2:] != x[:, 2:]).all()


def test_scales_of_images_are_checkerboards_then_channels_twice_as_wide():
    flow = real_nvp_image(image_shape=(1, 8, 8), num_scales=2, hidden_channels=3, num_couplings=2)
    couplings = [layer for layer in flow.modules() if isinstance(layer, Coupling)]
    kinds = ["Checkerboard" if "Checkerboard" in repr(layer.split) else "Channel" for layer in couplings]
    assert kinds == 2 * ["Checkerboard"] + 2 * ["Channel"] + 3 * ["Checkerboard"]
    widths = [layer.conditioner.first.out_channels for layer in couplings]
    assert widths == [3, 3, 6, 6, 3, 3, 3]

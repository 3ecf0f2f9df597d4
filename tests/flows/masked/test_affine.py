import pytest
import torch
from torch import nn

from wavegen.flows import Affine, Autoregressive, BoundedLogScale, MixtureOfLogisticsLogit
from wavegen.flows.masked.affine import MaskedAffineRun, why_not_compiled
from wavegen.nets.made import MADE


def layer(transform=None, dtype=torch.float64, **options):
    transform = Affine(log_scale_activation=BoundedLogScale(1.0)) if transform is None else transform
    made = MADE(4, transform.num_parameters, [9, 7], **options)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.4)
    return Autoregressive(transform=transform, conditioner=made).to(dtype).requires_grad_(False)


class OwnReLU(nn.ReLU):
    """Might compute anything."""


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (layer(), None),
        (layer(dtype=torch.float32, activation=nn.ELU(0.3)), None),
        (layer(MixtureOfLogisticsLogit(2, -5.0)), "its transform is MixtureOfLogisticsLogit, not Affine"),
        (layer(Affine(log_scale_activation=nn.Softplus())), "the activation of its log-scale is Softplus"),
        (layer(activation=OwnReLU()), "its net's activation is OwnReLU"),
    ],
)
def test_what_keeps_a_layer_from_the_kernel_is_named(made, reason):
    assert why_not_compiled(made) == reason


def test_layers_are_inverted_the_last_first():
    first, last = layer(order=[2, 0, 3, 1]), layer()
    z = torch.randn(3, 70, 4, dtype=torch.float64)
    expected = first.inverse(last.inverse(z)[0])[0]
    x = MaskedAffineRun([last, first])(z, None)
    torch.testing.assert_close(x, expected, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(MaskedAffineRun([first, last])(z, None), expected)


def test_every_row_has_its_own_context_and_z_stays_as_it_is():
    made = layer(context_features=2)
    z, context = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    before = z.clone()
    x = MaskedAffineRun([made])(z, context)
    torch.testing.assert_close(x, made.inverse(z, context)[0], rtol=1e-9, atol=1e-9)
    assert torch.equal(z, before)


def test_the_number_of_threads_changes_no_bit():
    made, z = layer(), torch.randn(300, 4, dtype=torch.float64)
    before, results = torch.get_num_threads(), []
    try:
        for num_threads in (1, 2, 5):
            torch.set_num_threads(num_threads)
            results.append(MaskedAffineRun([made])(z, None))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])

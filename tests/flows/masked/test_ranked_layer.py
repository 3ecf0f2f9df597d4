import pytest
import torch

from wavegen.flows import Affine, Autoregressive, MixtureOfLogisticsLogit
from wavegen.flows.masked.ranked_layer import RankedLayer, flatten_rows
from wavegen.nets.made import MADE


def random_made(features, hidden, order, num_parameters=2, **options):
    made = MADE(features, num_parameters, hidden, order=order, **options).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


@pytest.mark.parametrize("transform", [Affine(), MixtureOfLogisticsLogit(2, -5.0)])
def test_a_ranked_layer_is_the_inverse_of_its_layer(transform):
    made = random_made(5, [11, 7], [3, 0, 4, 1, 2], transform.num_parameters, context_features=2)
    layer = Autoregressive(transform=transform, conditioner=made)
    x, context = torch.randn(6, 5, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64)
    with torch.no_grad():
        z, _ = layer(x, context)
        torch.testing.assert_close(RankedLayer(layer)(z, context), x, rtol=1e-8, atol=1e-8)


def test_rows_are_flattened_with_the_context_of_their_member():
    made = random_made(3, [4], [0, 1, 2], context_features=2)
    z, context = torch.randn(4, 5, 3).double(), torch.randn(5, 2).double()
    rows, repeated = flatten_rows(made, z, context)
    assert rows.shape == (20, 3) and repeated.shape == (20, 2)
    for draw in range(4):
        for member in range(5):
            assert torch.equal(rows[5 * draw + member], z[draw, member])
            assert torch.equal(repeated[5 * draw + member], context[member])

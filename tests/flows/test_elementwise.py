import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import Additive, Elementwise, Flow, LearnableLeakyReLU, StandardNormal

BUILDERS = {
    "elementwise": lambda shape: Elementwise(transform=Additive(), shape=shape, initial_std=1.0),
    "learnable leaky relu": lambda shape: LearnableLeakyReLU(shape=shape),
}


def test_the_trailing_shape_has_its_own_parameters_and_ones_share():
    torch.manual_seed(0)
    for shape, distinct in (((), 1), ((5,), 5), ((3, 1, 1), 3), ((4, 5), 20)):
        bijection = BUILDERS["elementwise"](shape)
        moved, _ = bijection(torch.zeros(2, 3, 4, 5))
        torch.testing.assert_close(moved, bijection.table.squeeze(-1).expand(moved.shape))
        assert len(moved.unique()) == distinct


@pytest.mark.parametrize("name", BUILDERS)
def test_values_of_another_shape_are_refused(name):
    bijection = BUILDERS[name]((4,))
    # a last dimension of 1 would broadcast to four values
    for shape in ((3, 5), (3, 1), (1,)):
        for direction in (bijection, bijection.inverse):
            with pytest.raises(UserError, match=r"last dimensions are \(4,\), got shape \("):
                direction(torch.zeros(shape))
    with pytest.raises(UserError, match=r"values whose last dimensions are \(4,\), got shape \(\)"):
        bijection(torch.zeros(()))
    with pytest.raises(UserError, match=r"got shape \(5,\)"):
        Flow(bijection=bijection, base=StandardNormal((5,)))
    per_channel = BUILDERS[name]((2, 1, 1))
    assert per_channel.forward_shape((2, 4, 3)) == per_channel.inverse_shape((2, 4, 3)) == (2, 4, 3)
    with pytest.raises(UserError, match=r"\(2, 1, 1\), got shape \(3, 4, 3\)"):
        per_channel.forward_shape((3, 4, 3))

import pytest
import torch
import torch.nn.functional as F

from wavegen.nets import staircase
from wavegen.nets.made import MADE, MaskedLinear
from wavegen.nets.staircase import Staircase, StaircaseProduct


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(staircase, "LEAST_ROWS", 3)
    monkeypatch.setattr(staircase, "LEAST_SAVING", 20)


def triangle(outputs=10, inputs=7, flipped=False):
    mask = torch.arange(outputs)[:, None] * inputs >= torch.arange(inputs) * outputs
    return mask.flip(1) if flipped else mask


def operands(mask, *lead):
    x = torch.randn(*lead, mask.shape[1], dtype=torch.float64, requires_grad=True)
    weight = (torch.randn(mask.shape, dtype=torch.float64) * mask).requires_grad_()
    bias = torch.randn(len(mask), dtype=torch.float64, requires_grad=True)
    return x, weight, bias


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("lead", [(), (5,), (2, 3), (0,)])
def test_equals_the_dense_product_and_its_gradients_within_the_mask(flipped, lead):
    mask = triangle(flipped=flipped)
    blocks = Staircase.of(mask)
    area = sum((end - begin) * (last - first) for begin, end, first, last in blocks.rows)
    assert mask.sum() <= area <= mask.numel() - 20
    x, weight, bias = operands(mask, *lead)
    ours, dense = StaircaseProduct.apply(x, weight, bias, blocks), F.linear(x, weight, bias)
    torch.testing.assert_close(ours, dense)
    above = torch.randn_like(dense)
    of_x, of_weight, of_bias = torch.autograd.grad(ours, (x, weight, bias), above)
    dense_x, dense_weight, dense_bias = torch.autograd.grad(dense, (x, weight, bias), above)
    torch.testing.assert_close(of_x, dense_x)
    torch.testing.assert_close(of_weight * mask, dense_weight * mask)
    torch.testing.assert_close(of_bias, dense_bias)


def test_units_that_see_nothing_hold_their_bias():
    mask = triangle() & (torch.arange(10) > 4)[:, None]
    x, weight, bias = operands(mask, 4)
    result = StaircaseProduct.apply(x, weight, bias, Staircase.of(mask))
    assert torch.equal(result[:, :5], bias[:5].expand(4, 5))
    (of_x,) = torch.autograd.grad(result.sum(), x)
    torch.testing.assert_close(of_x, weight.sum(0).expand(4, -1))


def test_no_blocks_where_nothing_can_be_left_out():
    assert Staircase.of(torch.ones(10, 7, dtype=torch.bool)) is None
    assert Staircase.of(triangle().roll(5, 0)[::2].repeat(2, 1)) is None


def test_small_layers_stay_whole_and_large_ones_do_not(monkeypatch):
    monkeypatch.undo()
    assert MADE(64, 2, [256, 256]).layers[1]._staircase is None
    assert len(MADE(64, 2, [512, 512]).layers[1]._staircase.rows) == 4


def test_second_derivatives_forward_mode_and_vmap():
    layer = MaskedLinear(triangle()).double()
    assert layer._staircase is not None
    x = torch.randn(4, 7, dtype=torch.float64, requires_grad=True)

    def energy(x):
        return layer(torch.tanh(layer(x)[..., :7])).pow(3).sum()

    assert torch.autograd.gradcheck(energy, x)
    assert torch.autograd.gradgradcheck(energy, x)
    backward, forward = torch.func.jacrev(layer)(x[0]), torch.func.jacfwd(layer)(x[0])
    torch.testing.assert_close(backward, layer.weight * layer.mask)
    torch.testing.assert_close(forward, backward)
    torch.testing.assert_close(torch.func.vmap(layer, in_dims=1, out_dims=1)(x.mT), layer(x).mT)
    weights = torch.stack([layer.masked_weight, 2 * layer.masked_weight])
    several = torch.func.vmap(lambda w: StaircaseProduct.apply(x, w, layer.bias, layer._staircase))(weights)
    torch.testing.assert_close(several[1], F.linear(x, weights[1], layer.bias))


def test_masks_that_are_loaded_bring_their_blocks():
    forwards, backwards = MADE(7, 3, [12, 12]), MADE(7, 3, [12, 12], order=range(6, -1, -1))
    x = torch.randn(5, 7)
    forwards.load_state_dict(backwards.state_dict())
    assert forwards.layers[0]._staircase == backwards.layers[0]._staircase is not None
    torch.testing.assert_close(forwards(x), backwards(x))

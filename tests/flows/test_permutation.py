import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import Permutation, Reversal


def test_formula_on_vectors_and_on_channels():
    order = [2, 0, 3, 1]
    x = torch.randn(5, 4)
    assert torch.equal(Permutation(order)(x)[0], x[:, order])
    images = torch.randn(5, 4, 2, 3)
    z, log_det = Permutation(order, event_dim=3)(images)
    assert torch.equal(z, images[:, order]) and torch.equal(log_det, torch.zeros(5))


def test_reverse_is_its_own_inverse():
    x = torch.randn(2, 5)
    z, _ = Permutation.reverse(5)(x)
    assert torch.equal(z, x.flip(-1)) and torch.equal(Permutation.reverse(5)(z)[0], x)


def test_random_is_fixed_by_its_seed_and_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    one, same, other = (Permutation.random(50, seed=seed).order for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(state, torch.get_rng_state())


def test_loading_brings_the_order_and_its_inverse():
    trained, fresh = Permutation.random(20, seed=1), Permutation.random(20, seed=2)
    fresh.load_state_dict(trained.state_dict())
    x = torch.randn(3, 20)
    assert torch.equal(fresh(x)[0], trained(x)[0])
    assert torch.equal(fresh.inverse(trained(x)[0])[0], x)


@pytest.mark.parametrize("order", [[0, 2], [0, 0, 1], [1, 2, 3], [[0, 1]], [0.0, 1.0], 0])
def test_an_order_that_is_none(order):
    with pytest.raises(UserError, match="expected an order that names channels 0, 1"):
        Permutation(order)


def test_wrong_shape():
    with pytest.raises(UserError, match=r"expected events of shape \(4, …, …\), got shape \(3, 5, 5\)"):
        Permutation.reverse(4, event_dim=3).forward_shape((3, 5, 5))
    with pytest.raises(UserError, match=r"expected events of shape \(4\)"):
        Permutation.reverse(4).inverse(torch.randn(2, 5))
    with pytest.raises(UserError, match="at least 3 dimensions"):
        Permutation.reverse(4, event_dim=3)(torch.randn(4, 5))


def test_half_precision_values_pass_with_a_float32_term():
    z, log_det = Permutation.reverse(4)(torch.randn(2, 4, dtype=torch.bfloat16))
    assert z.dtype == torch.bfloat16 and log_det.dtype == torch.float32


def test_reversal_turns_every_dimension_round():
    x = torch.randn(5, 4, 2, 3)
    z, log_det = Reversal(event_dim=3)(x)
    assert torch.equal(z.flatten(1), x.flatten(1).flip(1)) and torch.equal(log_det, torch.zeros(5))
    with pytest.raises(UserError, match="at least 3 dimensions"):
        Reversal(event_dim=3)(torch.randn(4, 5))

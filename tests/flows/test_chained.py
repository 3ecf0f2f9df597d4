import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import Additive, Affine, BoundedLogScale, Chained, MixtureOfLogisticsLogit


def test_arguments_act_in_the_order_given_on_their_own_parameters():
    x, parameters = torch.tensor([2.0]), torch.tensor([[10.0, 0.5, torch.tensor(3.0).log()]])
    z, log_derivative = Chained(Additive(), Affine())(x, parameters)
    torch.testing.assert_close(z, torch.tensor([(2.0 + 10.0) * 3.0 + 0.5]))
    torch.testing.assert_close(log_derivative, torch.tensor([3.0]).log())
    z, _ = Chained(Affine(), Additive())(x, parameters.roll(-1))
    torch.testing.assert_close(z, torch.tensor([2.0 * 3.0 + 0.5 + 10.0]))


def test_flow_plus_plus_is_the_sum_of_its_members_and_undone_in_reverse():
    torch.manual_seed(0)
    mixture, affine = MixtureOfLogisticsLogit(3, -7.0), Affine(log_scale_activation=BoundedLogScale(1.0))
    chained = Chained(mixture, affine)
    assert chained.num_parameters == 11
    x, parameters = torch.randn(50, dtype=torch.float64), torch.randn(50, 11, dtype=torch.float64)
    between, first = mixture(x, parameters[:, :9])
    expected, second = affine(between, parameters[:, 9:])
    z, log_derivative = chained(x, parameters)
    torch.testing.assert_close(z, expected, rtol=0, atol=0)
    torch.testing.assert_close(log_derivative, first + second, rtol=0, atol=0)
    returned, inverse_log_derivative = chained.inverse(z, parameters)
    torch.testing.assert_close(returned, x, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(inverse_log_derivative, -log_derivative, rtol=1e-9, atol=1e-9)


def test_chains_of_chains():
    inner = Chained(Additive(), Affine())
    assert Chained(inner, Additive()).num_parameters == 4


def test_nothing_to_chain():
    with pytest.raises(UserError, match="expected at least one transform, got none"):
        Chained()

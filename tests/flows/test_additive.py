import pytest
import torch

from wavegen.flows import Additive


def test_it_shifts_and_keeps_the_volume():
    x, parameters = torch.tensor([1.0, -2.0]), torch.tensor([[0.5], [3.0]])
    z, log_derivative = Additive()(x, parameters)
    assert z.tolist() == [1.5, 1.0] and log_derivative.tolist() == [0.0, 0.0]
    x, log_derivative = Additive().inverse(z, parameters)
    assert x.tolist() == [1.0, -2.0] and log_derivative.tolist() == [0.0, 0.0]


def test_half_precision_is_computed_in_float32():
    x, parameters = torch.ones(3, dtype=torch.bfloat16), torch.full((3, 1), 2**-10, dtype=torch.bfloat16)
    z, log_derivative = Additive()(x, parameters)
    assert z.dtype == log_derivative.dtype == torch.float32
    assert (z == 1 + 2**-10).all()  # bfloat16 would have lost it


def test_parameters_that_would_broadcast_are_not_taken():
    for direction in (Additive(), Additive().inverse):
        with pytest.raises(ValueError, match="too many values"):
            direction(torch.zeros(3), torch.zeros(3, 3))

import pytest
import torch
from torch import nn

from wavegen.errors import UserError
from wavegen.flows import FreeParameters, Planar
from wavegen.flows.parameters import SMALLEST_SLOPE, positive_slope


def test_free_parameters_are_a_table_for_every_context():
    torch.manual_seed(0)
    free = FreeParameters(1000, initial_std=0.3)
    assert free().shape == (1000,) and abs(free().std().item() - 0.3) < 0.03
    assert torch.equal(free(torch.randn(5, 2)), free())
    assert [name for name, _ in free.named_parameters()] == ["table"]


def test_slopes_are_positive_increasing_and_one_at_zero():
    for dtype in (torch.float32, torch.float64):
        raw = torch.linspace(-1e4, 1e4, 100_001, dtype=dtype)
        slope = positive_slope(raw)
        assert slope.min() == torch.tensor(SMALLEST_SLOPE, dtype=dtype) and (slope.diff() >= 0).all()
        assert abs(positive_slope(torch.zeros((), dtype=dtype)).item() - 1) < 1e-6
    # no seam where softplus becomes the identity
    raw = torch.linspace(15, 45, 3001, dtype=torch.float64)
    torch.testing.assert_close(positive_slope(raw).diff(), raw.diff(), rtol=1e-6, atol=0)


def test_errors_say_what_was_expected():
    with pytest.raises(UserError, match=r"Planar: expected events of 3 features, got shape \(2, 4\)"):
        Planar(3)(torch.zeros(2, 4))
    with pytest.raises(UserError, match="Planar: expected a module of 7 parameters, got 6"):
        Planar(3, parameters=FreeParameters(6))
    with pytest.raises(UserError, match=r"parameters of shape \(7,\) or \(2, 7\), got \(2, 6\)"):
        Planar(3, parameters=nn.Linear(2, 6))(torch.zeros(2, 3), torch.zeros(2, 2))
    with pytest.raises(UserError, match=r"or \(4, 7\), got \(2, 7\)"):
        Planar(3, parameters=nn.Linear(2, 7))(torch.zeros(4, 3), torch.zeros(2, 2))
    with pytest.raises(UserError, match="features of at least 1, got 0"):
        Planar(0)
    with pytest.raises(UserError, match="at least 1 parameter, got 0"):
        FreeParameters(0)

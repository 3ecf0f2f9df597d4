import pytest
import torch

from wavegen.distributions.logistic import Logistic
from wavegen.distributions.precision import at_least_float32, bounded_logit


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_types_become_float32(dtype):
    a, b = at_least_float32(torch.ones(2, dtype=dtype), torch.ones(2, dtype=dtype))
    assert a.dtype == b.dtype == torch.float32


def test_float64_stays_and_wins():
    a, b = at_least_float32(torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.float64))
    assert a.dtype == b.dtype == torch.float64


def test_log_prob_is_float32_under_autocast():
    weight = torch.randn(4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loc = weight @ weight
        assert loc.dtype == torch.bfloat16
        log_prob = Logistic(loc, loc).log_prob(torch.zeros(4, 4))
    assert log_prob.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bounded_logit_is_finite_at_the_ends(dtype):
    value = bounded_logit(torch.tensor([0.0, 0.25, 1.0], dtype=dtype))
    # Both ends lie about as far out as the generator's resolution goes: a low end far beyond it is a click.
    resolution = -torch.log(torch.tensor(torch.finfo(dtype).eps)).item()
    assert resolution < -value[0] < resolution + 2 and resolution < value[2] < resolution + 2
    assert value[1].item() == pytest.approx(-1.0986122886681098, rel=1e-6)

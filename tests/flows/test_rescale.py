import math

import pytest
import torch

from wavegen.errors import UserError
from wavegen.flows import Rescale


def test_values():
    z, log_det = Rescale(scale=-2.0, loc=1.0)(torch.tensor([0.0, 3.0]))
    assert z.tolist() == [1.0, -5.0]
    torch.testing.assert_close(log_det, torch.full((2,), math.log(2.0)))


@pytest.mark.parametrize("scale", [0.0, math.inf, math.nan])
def test_no_inverse(scale):
    with pytest.raises(UserError, match="finite scale other than 0"):
        Rescale(scale=scale)

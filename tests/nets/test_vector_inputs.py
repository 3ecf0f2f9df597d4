import pytest
import torch
from torch import nn

from wavegen.errors import UserError
from wavegen.nets.vector_inputs import require_features, require_floating

OWNER = nn.Identity()


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3), (2, 3, 5), (3, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_last_dimension_is_that_of_the_features(shape, dtype):
    x = torch.zeros(shape, dtype=dtype)
    for features in (1, 3, 5):
        try:
            require_features(OWNER, "x", x, features)
        except UserError:
            assert features != shape[-1]
        else:
            assert features == shape[-1]


def test_no_context_is_one_of_no_features():
    assert require_features(OWNER, "context", None, 0) is None
    assert require_floating(OWNER, None) is None


@pytest.mark.parametrize(
    ("value", "features", "message"),
    [
        (torch.zeros(3, 4), 3, "expected 3 features, got 4"),
        (None, 3, "expected 3 features, got 0"),
        (torch.zeros(2, 1), 0, "expected 0 features, got 1"),
        (torch.tensor(1.0), 3, r"expected a tensor of 3 features, got shape \(\)"),
        ([0.0, 0.0, 0.0], 3, "expected a tensor of 3 features, got list"),
        (torch.zeros(2, 3, dtype=torch.long), 3, "expected floating-point numbers, got torch.int64"),
    ],
)
def test_what_does_not_fit_is_named_with_owner_and_input(value, features, message):
    with pytest.raises(UserError, match="^Identity style: " + message):
        require_features(OWNER, "style", value, features)


def test_classes_come_one_hot():
    with pytest.raises(UserError, match="^Identity context: expected floating-point numbers, got torch.bool"):
        require_floating(OWNER, torch.zeros(3, dtype=torch.bool))

from functools import partial

import pytest
import torch

from wavegen.errors import UserError
from wavegen.training.limits import check_optimizer, check_ranges, check_seed


@pytest.mark.parametrize(
    ("name", "refused", "taken"),
    [
        ("batch_size", (0, 1.5, True, "many"), (1,)),
        ("segment_s", (0, -1, float("nan"), float("inf")), (0.05, 1)),
        ("num_workers", (-1, 0.5), (0,)),
        ("checkpoint_layers", (-1,), (0, 3)),
        ("dev_batches", (0,), (1,)),
        ("speak_every_num_validations", (0,), (1,)),
        ("checkpoint_every_minutes", (-1, None), (0, 0.02)),
        ("gradient_clip", (0, -1), (0.1,)),
        ("average_decay", (-0.1, 1.1), (0, 0.999, 1)),
    ],
)
def test_every_number_has_its_range(name, refused, taken):
    for value in taken:
        check_ranges({name: value})
    for value in refused:
        with pytest.raises(UserError, match=f"^{name} must be a (whole )?number .*, got {value!r}$"):
            check_ranges({name: value})


def test_seeds_are_those_of_torch_and_numpy():
    for seed in (0, 1, 2**32 - 1):
        check_seed(seed)
    for seed in (-1, 2**32, 0.5, None, True):
        with pytest.raises(UserError, match="^seed must be a whole number from 0"):
            check_seed(seed)


def test_an_optimiser_is_tried():
    check_optimizer(partial(torch.optim.Adam, lr=0.1))
    with pytest.raises(UserError, match="^optimizer refuses its settings: Invalid learning rate: -1"):
        check_optimizer(partial(torch.optim.Adam, lr=-1))
    with pytest.raises(UserError, match="^optimizer refuses its settings: .*speed"):
        check_optimizer(partial(torch.optim.Adam, speed=1))

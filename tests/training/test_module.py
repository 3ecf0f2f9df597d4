from functools import partial

import pytest
import torch

from wavegen.errors import UserError
from wavegen.training.budget import Budget


def test_one_step_is_one_of_the_optimiser_that_was_given(fit_line):
    # (v − 0)² has no slope at 0; then one step of descent on (v − 1)² from 0, rate 0.1
    assert fit_line(max_steps=2).value.item() == pytest.approx(0.2)


def test_the_schedule_says_the_rate_of_every_step(fit_line):
    asked = []

    def schedule(progress, first):
        asked.append((progress, first))
        return 0.0 if progress <= 0.5 else 1.0

    module = fit_line(max_steps=4, schedule=schedule)
    # steps 0 and 1 stand still; step 2 goes towards 2, step 3 towards 3
    assert module.value.item() == pytest.approx(0.4 + 0.2 * (3 - 0.4))
    assert asked[:4] == [(0.25, 0.25), (0.5, 0.25), (0.75, 0.25), (1.0, 0.25)]


def test_frozen_parameters_are_not_optimised():
    from wavegen.training.module import TrainingModule

    module = TrainingModule(optimizer=partial(torch.optim.SGD, lr=0.1), budget=Budget(max_steps=1))
    module.net = torch.nn.Linear(2, 1)
    module.net.bias.requires_grad_(False)
    (group,) = module.configure_optimizers()["optimizer"].param_groups
    assert len(group["params"]) == 1 and group["params"][0] is module.net.weight


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_stops_with_step_and_term(fit_line, value):
    module = fit_line(max_steps=2)
    assert module.check_finite("fine", torch.tensor(1.5)) == 1.5
    with pytest.raises(
        UserError,
        match=rf"stopped at step 2: the term 'loss' is {value}, expected a finite number; start another run "
        "with a lower learning rate",
    ):
        module.check_finite("loss", torch.tensor(value))


def test_before_the_first_step_the_learning_rate_is_not_to_blame(fit_line):
    class Poisoned(type(fit_line(max_steps=1))):
        def training_step(self, number):
            return self.check_finite("bad", self.value / 0)

    module = Poisoned(optimizer=partial(torch.optim.SGD, lr=0.1), budget=Budget(max_steps=1))
    with pytest.raises(
        UserError, match="step 0: the term 'bad' is nan, expected .*; no step has been taken"
    ) as error:
        fit_line(module=module, max_steps=1)
    assert "learning rate" not in str(error.value) and "checkpoint" not in str(error.value)


def test_gradients_that_are_no_numbers_never_reach_the_weights(fit_line):
    class Root(type(fit_line(max_steps=1))):
        def training_step(self, number):
            return self.value.sqrt()  # finite at 0, its slope is not

    module = Root(optimizer=partial(torch.optim.SGD, lr=0.1), budget=Budget(max_steps=1))
    with pytest.raises(UserError, match="the term 'gradient norm' is inf"):
        fit_line(module=module, max_steps=1)
    assert module.value.item() == 0.0

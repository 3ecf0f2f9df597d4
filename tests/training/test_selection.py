import copy

import pytest
import torch

from wavegen.training.budget import Budget
from wavegen.training.selection import BestOnDev


def test_the_weights_of_the_cheapest_validation_are_kept(fit_line):
    """The cost is |v − 1|; v runs after 0, 1, 2, … and passes 1 on its way."""
    module = type(fit_line(max_steps=1))(
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1), budget=Budget(max_steps=8)
    )
    best = BestOnDev(module)
    fit_line([best], module=module, max_steps=8, validate_every_steps=1)
    costs = {step: abs(value - 1) for step, value in module.validated}
    assert best.step == min(costs, key=costs.get) not in (1, 8)
    assert best.cost == pytest.approx(min(costs.values()))
    last = module.value.item()
    best.restore()
    assert module.value.item() == dict(module.validated)[best.step] != last


class Strategy:
    def reduce(self, value, reduce_op):
        assert reduce_op == "mean"
        return value


class Trainer:
    global_step, strategy = 5, Strategy()


def validate(best, *batches):
    module = torch.nn.Module()
    module.device = torch.device("cpu")
    best.on_validation_epoch_start(Trainer, module)
    for cost, size in batches:
        best.on_validation_batch_end(Trainer, module, {"cost": cost, "size": size}, None, 0)
    best.on_validation_epoch_end(Trainer, module)


def test_a_batch_counts_by_its_size():
    best = BestOnDev(torch.nn.Linear(1, 1))
    validate(best, (1.0, 3), (5.0, 1))
    assert best.cost == 2.0 and best.step == 5


def test_without_a_finite_cost_the_model_keeps_what_it_has():
    model = torch.nn.Linear(1, 1)
    best, before = BestOnDev(model), copy.deepcopy(model.state_dict())
    validate(best, (float("nan"), 1))
    best.restore()
    assert best.step is None and torch.equal(model.weight, before["weight"])


def test_what_is_best_is_in_its_state_and_apart_from_the_model():
    model = torch.nn.Linear(1, 1)
    best, again = BestOnDev(model), BestOnDev(model)
    validate(best, (1.0, 1))
    kept = model.weight.item()
    torch.nn.init.constant_(model.weight, 7.0)
    validate(best, (2.0, 1))
    again.load_state_dict(best.state_dict())
    again.restore()
    assert model.weight.item() == kept and (again.cost, again.step) == (1.0, 5)

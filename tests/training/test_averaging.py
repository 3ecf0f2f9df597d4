import copy

import lightning
import pytest
import torch

from wavegen.training.averaging import PolyakAverage


@pytest.mark.parametrize("decay", [0.5, 0.998])
def test_the_average_follows_its_recursion(decay):
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 2).double()
    callback = PolyakAverage(decay)
    callback.weights = {name: tensor.detach().clone() for name, tensor in module.named_parameters()}
    expected = copy.deepcopy(list(module.parameters()))
    callback.update(dict(module.named_parameters()))  # the first update copies
    for count in range(1, 40):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn_like(parameter))
            rate = 1 - min(decay, (1 + count) / (10 + count))
            for mean, parameter in zip(expected, module.parameters(), strict=True):
                mean.add_(rate * (parameter - mean))
        callback.update(dict(module.named_parameters()))
    for mean, parameter in zip(expected, callback.weights.values(), strict=True):
        torch.testing.assert_close(parameter, mean, rtol=1e-12, atol=1e-12)


def test_training_ends_with_the_average_and_validations_see_it(fit_line):
    class Own(lightning.Callback):
        values = []

        def on_train_batch_end(self, trainer, module, *_):
            self.values.append(module.value.item())

    average = PolyakAverage(0.5)
    module = fit_line([Own(), average], max_steps=4, validate_every_steps=2)
    means = [Own.values[0]]
    for count, value in enumerate(Own.values[1:], start=1):
        means.append(means[-1] + (1 - min(0.5, (1 + count) / (10 + count))) * (value - means[-1]))
    assert module.value.item() == pytest.approx(means[-1]) != pytest.approx(Own.values[-1])
    assert module.validated == [(2, pytest.approx(means[1])), (4, pytest.approx(means[3]))]
    # it went on from its own weights: one step of descent on (v − 2)², rate 0.1
    assert Own.values[2] == pytest.approx(Own.values[1] - 0.2 * (Own.values[1] - 2))


def test_what_is_no_floating_point_number_is_taken_as_it_is():
    average = PolyakAverage(0.9)
    average.weights = {"flag": torch.tensor(False), "order": torch.tensor([0, 1])}
    for flag, order in ((False, [0, 1]), (True, [1, 0])):
        average.update({"flag": torch.tensor(flag), "order": torch.tensor(order)})
    assert average.weights["flag"].item() is True and average.weights["order"].tolist() == [1, 0]


def test_weights_that_do_not_move_are_averaged_exactly():
    average = PolyakAverage(0.999)
    value = torch.tensor([0.1, 1e30, -3e-30])
    average.weights = {"value": torch.zeros(3)}
    for _ in range(50):
        average.update({"value": value})
    assert torch.equal(average.weights["value"], value)


def test_an_interrupted_validation_gives_the_modules_own_weights_back():
    average, module = PolyakAverage(0.9), torch.nn.Linear(2, 1)
    average.weights = {name: torch.zeros_like(value) for name, value in module.state_dict().items()}
    own = copy.deepcopy(module.state_dict())
    average.on_validation_epoch_start(None, module)
    assert module.weight.count_nonzero() == 0
    average.on_exception(None, module, KeyboardInterrupt())
    assert torch.equal(module.weight, own["weight"])


def test_its_state_goes_into_another(fit_line):
    average, again = PolyakAverage(0.5), PolyakAverage(0.5)
    fit_line([average], max_steps=3)
    again.load_state_dict(average.state_dict())
    assert (again.num_averaged, again.last_step) == (3, 3)
    assert torch.equal(again.weights["value"], average.weights["value"])

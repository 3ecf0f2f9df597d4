import itertools

import lightning
import torch

from wavegen.training.step_seed import StepSeed, ends_step


class At:
    accumulate_grad_batches = 3

    def __init__(self, step, rank=0):
        self.global_step, self.global_rank = step, rank


def draw(seed, step, rank=0, purpose=0):
    """``purpose``: the number of a batch within its step, or None for a validation."""
    callback = StepSeed(seed)
    if purpose is None:
        callback.on_validation_start(At(step, rank), None)
    else:
        callback.on_train_batch_start(At(step, rank), None, None, 3 * step + purpose)
    return torch.rand(()).item()


def test_noise_is_a_function_of_seed_rank_step_and_batch_or_validation():
    cases = list(itertools.product((0, 1), (0, 1, 2), (0, 1), (None, 0, 1, 2)))
    drawn = [draw(*case) for case in cases]
    assert len(set(drawn)) == len(cases)
    torch.manual_seed(5)
    assert [draw(*case) for case in cases] == drawn


class Draws(lightning.Callback):
    def __init__(self):
        self.drawn = {}

    def on_train_batch_end(self, trainer, module, *_):
        self.drawn[trainer.global_step] = torch.rand(()).item()


def test_a_training_that_draws_more_in_between_has_the_same_noise(fit_line):
    class Meddler(lightning.Callback):
        def on_train_batch_end(self, trainer, module, *_):
            torch.rand(trainer.global_step)

    alone, meddled = Draws(), Draws()
    fit_line([StepSeed(3), alone], max_steps=4)
    fit_line([StepSeed(3), meddled, Meddler()], max_steps=4)
    assert alone.drawn == meddled.drawn and len(set(alone.drawn.values())) == 4


def test_a_step_ends_with_the_last_of_its_batches():
    assert [ends_step(At(0), number) for number in range(6)] == [False, False, True] * 2

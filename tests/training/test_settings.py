import inspect

import pytest
import torch
from omegaconf import OmegaConf

from wavegen.errors import UserError
from wavegen.training.fit import fit
from wavegen.training.schedule import OneCycle
from wavegen.training.settings import FIT_SETTINGS, check_trainings, fit_settings, optimisation


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("student_training.max_minutes=soon", "student_training.max_minutes must be a number above 0"),
        ("teacher_training.max_steps=0", "teacher_training.max_steps must be a whole number of at least 1"),
        ("student_training.schedule.warmup=1.5", "student_training.schedule.warmup must be a share"),
        (
            "teacher_training.validate_every_steps=0",
            "teacher_training.validate_every_steps must be a whole number of at least 1, got 0",
        ),
        ("seed=-1", "seed must be a whole number from 0 to 4.29497e\\+09, got -1"),
        ("trainer.devices=abc", "^trainer cannot be built with .*devices=abc.*: "),
        ("trainer.devices=0", "^trainer cannot be built with .*devices=0"),
        ("trainer.accelerator=abacus", "^trainer cannot be built with accelerator=abacus"),
        ("evaluation.device=cuda:99", "^evaluation.device=cuda:99"),
        ("+trainer.speed=1", "^trainer (has the argument 'speed'|cannot be built .*'speed')"),
        ("student_training.precision=12-true", "^student_training.trainer cannot be .* precision=12-true: "),
        ("student_training.optimizer.lr=-1", "^student_training.optimizer refuses its settings: .*-1"),
    ],
)
def test_a_recipe_is_told_before_its_first_training(compose_config, override, reason):
    with pytest.raises(UserError, match=reason):
        check_trainings(compose_config("distill", override))
    check_trainings(compose_config("distill"))


def test_a_schedule_that_counts_steps_is_refused(compose_config):
    settings = compose_config("teacher").teacher_training
    counting = {"_target_": "torch.optim.lr_scheduler.ConstantLR", "_partial_": True}
    settings = OmegaConf.merge(settings, {"schedule": None}, {"schedule": counting})
    with pytest.raises(
        UserError, match="ConstantLR counts steps, expected .*wavegen.training.schedule.OneCycle"
    ):
        optimisation(settings)


def test_a_group_comes_to_optimiser_schedule_and_budget(compose_config):
    settings = compose_config("teacher").teacher_training
    settings.max_minutes = 2.5
    made = optimisation(settings)
    assert (made["budget"].max_steps, made["budget"].max_minutes) == (6, 2.5)
    parameter = torch.nn.Parameter(torch.zeros(1))
    assert made["optimizer"]([parameter]).param_groups[0]["lr"] == settings.optimizer.lr
    assert isinstance(made["schedule"], OneCycle)
    settings.schedule = None
    assert optimisation(settings)["schedule"] is None


def test_what_goes_to_the_fit_is_named_once(compose_config):
    settings = compose_config("teacher").teacher_training
    made = fit_settings(settings)
    assert tuple(made) == FIT_SETTINGS and made["validate_every_steps"] == 3
    assert made.keys() <= inspect.signature(fit).parameters.keys()

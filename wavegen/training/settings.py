"""Turns the settings of a training (``configs/optimisation``) into arguments."""

from functools import partial
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from wavegen.calls import TARGET, build
from wavegen.devices import compute_device
from wavegen.errors import UserError
from wavegen.training.budget import Budget
from wavegen.training.limits import check_optimizer, check_ranges, check_seed, check_trainer
from wavegen.training.schedule import OneCycle

FIT_SETTINGS = (
    "validate_every_steps",
    "checkpoint_every_minutes",
    "dev_batches",
    "gradient_clip",
    "average_decay",
    "accumulate_batches",
    "precision",
)


def fit_settings(settings: DictConfig) -> dict[str, Any]:
    """The settings that are arguments of ``training.fit.fit``; a run of an older version may lack some."""
    return {name: settings[name] for name in FIT_SETTINGS if name in settings}


def optimisation(settings: DictConfig) -> dict[str, Any]:
    """The arguments of the training module: optimiser, schedule, budget.

    Raises:
        UserError: if the schedule counts steps, or a limit of the budget is invalid.
    """
    resolved = OmegaConf.create(OmegaConf.to_container(settings, resolve=True))
    schedule = None if resolved.schedule is None else build(resolved.schedule)
    if isinstance(schedule, partial):
        raise UserError(
            f"schedule._target_={resolved.schedule._target_} counts steps, expected a function of the "
            f"training's progress, such as {OneCycle.__module__}.{OneCycle.__name__}"
        )
    return {
        "optimizer": build(resolved.optimizer),
        "schedule": schedule,
        "budget": Budget(max_steps=resolved.max_steps, max_minutes=resolved.max_minutes),
    }


def check_trainings(config: DictConfig) -> None:
    """Check the settings of every training of a recipe before the first one starts.

    Raises:
        UserError: if a setting is invalid, with the name of its group; if the seed, the trainer or the device
            of the evaluation is.
    """
    check_seed(config.seed)
    device = config.get("evaluation", {}).get("device")
    if device is not None:
        try:
            compute_device(device)
        except UserError as error:
            raise UserError(f"evaluation.{error}") from error
    with_lightning = TARGET in config.get("trainer", {})
    if with_lightning:
        check_trainer(config)
    for name, settings in cast(dict[str, Any], config).items():
        if isinstance(settings, DictConfig) and "optimizer" in settings:
            try:
                check_optimizer(optimisation(settings)["optimizer"])
                check_ranges(cast(dict[str, Any], settings))
                if with_lightning:
                    check_trainer(config, settings.get("precision"))
            except UserError as error:
                raise UserError(f"{name}.{error}") from error

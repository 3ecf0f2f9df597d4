"""A stage of a run: builds, trains and saves one model, or loads it if it has been trained before."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from wavegen.errors import UserError
from wavegen.runs.manifest import MANIFEST, write_manifest
from wavegen.runs.weights import load_model, load_weights, save_weights, weights_file
from wavegen.training.module import TrainingModule


def run_stage(
    name: str,
    build: Callable[[], nn.Module],
    module: Callable[[nn.Module], TrainingModule],
    data: Callable[[nn.Module], lightning.LightningDataModule],
    *,
    run: Path,
    seed: int,
    fit: Callable[..., None],
    model_config: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    finish: Callable[[TrainingModule], None] | None = None,
) -> nn.Module:
    """The trained model, in evaluation mode: loaded if the run already contains it, else trained now.

    Weights are written last and atomically: if the file exists, the stage is complete.

    Args:
        name: of the stage and of its files: ``teacher``, ``student``, ``flow``.
        build: makes the model with its initial weights; called after the seed is set.
        module: makes the Lightning module of the model.
        data: makes the data module; may read the model's receptive field.
        run: the run's folder.
        seed: of initial weights and of all draws in training.
        fit: called as ``fit(module=, data=, run=, stage=, seed=)``, see :mod:`wavegen.training.fit`.
        model_config: written into the manifest, from which the model can be built; None writes nothing.
        facts: further entries of the manifest.
        finish: called with the trained module in every process, before anything is written.

    Raises:
        UserError: of the functions that are called.
    """
    weights = weights_file(run, name)
    if weights.exists():
        if model_config is None:
            return load_weights(build(), weights, name)
        kept = load_model(run, name)
        if kept is None:
            raise UserError(f"{run / MANIFEST} describes no {name}, but {weights} exists, expected both")
        return kept
    lightning.seed_everything(seed, verbose=False)
    model = build()
    training = module(model)
    fit(module=training, data=data(model), run=run, stage=name, seed=seed)
    if finish is not None:
        finish(training)
    require_finite_weights(name, model)
    save_model(run, name, model, model_config, facts)
    return model.eval()


def require_finite_weights(name: str, model: nn.Module) -> None:
    """Raises UserError if a parameter or buffer contains NaN or infinity: such a model is not written.

    The loss of the step before was finite, so this is the work of the last step alone.
    """
    for key, value in model.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise UserError(
                f"the {name} is not written: the last step has made NaN or infinity of {key}; train again "
                f"with a lower {name}_training.optimizer.lr or gradient_clip"
            )


@rank_zero_only
def save_model(
    run: Path,
    name: str,
    model: nn.Module,
    model_config: Mapping[str, Any] | None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a trained model into the run; only the first process of a distributed training writes."""
    if model_config is not None:
        write_manifest(run, {name: model_config}, facts or {})
    save_weights(run, name, model)

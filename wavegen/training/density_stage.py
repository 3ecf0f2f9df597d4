"""The stage of a density's run: builds the density, fits it to the data, saves and loads it."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import lightning
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from wavegen.calls import TARGET, build
from wavegen.data.context import LabelContext, NoContext
from wavegen.data.images.image_set import ImageSet
from wavegen.data.tables import TableSet
from wavegen.errors import UserError
from wavegen.files import write_bytes
from wavegen.flows import UniformDequantization
from wavegen.metrics.bits import bits_per_dimension
from wavegen.models.density import DensityModel
from wavegen.runs.weights import build_model, load_model, weights_file
from wavegen.training.density import DensityTraining
from wavegen.training.density_data import DensityData
from wavegen.training.fit import fit
from wavegen.training.module import TrainingModule
from wavegen.training.selection import BestOnDev
from wavegen.training.settings import fit_settings, optimisation
from wavegen.training.stage import run_stage

STAGE = "flow"
COST = "training.json"


def load_data(config: DictConfig) -> tuple[ImageSet | TableSet, NoContext | LabelContext]:
    """The configured data and the context that conditions the density.

    Raises:
        UserError: of the data source, if its file is missing or has another content.
    """
    return build(config.data), build(config.context)


def fill_in_event(config: DictConfig, data: ImageSet | TableSet, context: NoContext | LabelContext) -> None:
    """Write the properties of the data that the model's configuration refers to into ``config.event``.

    Raises:
        UserError: if the model is for tables and the data are images, or the reverse; if the context needs
            labels and the data have none; if the dequantisation that was chosen is not the model's.
    """
    images = isinstance(data, ImageSet)
    if TARGET not in config.flow_model:
        raise UserError(f"flow_model has no {TARGET}, expected the name of a class or function")
    model = config.flow_model._target_.rpartition(".")[2]
    event = {
        "name": f"{data.name}-{model}",
        "image_shape": list(data.image_shape) if isinstance(data, ImageSet) else None,
        "num_levels": data.num_levels if isinstance(data, ImageSet) else None,
        "features": data.num_features if isinstance(data, TableSet) else None,
        "context_features": context.num_features(data),
    }
    OmegaConf.update(config, "event", event)
    wanted, other = ("image_shape", "features") if images else ("features", "image_shape")
    if wanted not in config.flow_model and other in config.flow_model:
        kinds = {"image_shape": "images", "features": "the rows of a table"}
        raise UserError(
            f"{config.flow_model._target_} is a model of {kinds[other]}, but {data.name} contains "
            f"{kinds[wanted]}: choose a flow_model that matches data"
        )
    _require_effect(config)


def _require_effect(config: DictConfig) -> None:
    """Raises UserError if another dequantisation than the default was chosen and the model has none."""
    chosen = config.dequantization[TARGET]
    default = f"{UniformDequantization.__module__}.{UniformDequantization.__qualname__}"
    model = OmegaConf.to_container(config.flow_model, resolve=True)
    if chosen != default and f"'{chosen}'" not in str(model):
        raise UserError(
            f"dequantization={chosen} has no effect, because {config.flow_model[TARGET]} is not configured "
            "with ${dequantization}: leave it out"
        )


def cost_of(data: ImageSet | TableSet) -> tuple[str, Callable[[Tensor], Tensor]]:
    """The reported cost of a log-probability in nats: bits per dimension of an image, nats of a row."""
    if isinstance(data, ImageSet):
        return "bits_per_dimension", partial(bits_per_dimension, num_dimensions=data.num_dimensions)
    return "nats", Tensor.neg


def new_density(config: DictConfig) -> DensityModel:
    """The configured density with its initial weights, drawn from the configured seed.

    Raises:
        UserError: if it cannot be built for these data; nothing has been written before.
    """
    lightning.seed_everything(config.seed, verbose=False)
    return build_model(OmegaConf.to_container(config.flow_model, resolve=True), source="flow_model")


def train_density(
    config: DictConfig,
    model: DensityModel,
    data: ImageSet | TableSet,
    context: NoContext | LabelContext,
    run: Path,
) -> DensityModel:
    """Fit the density, or load it if the run already contains it.

    The result has the averaged weights of the validation with the lowest dev cost. They are saved in the run
    beside ``training.json``: steps, best step, number of parameters, seconds.
    """
    module = cast(nn.Module, model)
    settings, best = config.flow_training, BestOnDev(module)
    name, cost = cost_of(data)

    def finish(training: TrainingModule) -> None:
        best.restore()
        write_cost(run, cast(DensityTraining, training), best.step)

    trained = run_stage(
        STAGE,
        lambda: module,
        lambda module: DensityTraining(
            model=cast(DensityModel, module),
            context=context,
            num_classes=data.num_classes,
            cost=cost,
            cost_name=name,
            **optimisation(settings),
        ),
        lambda _: DensityData(data=data, batch_size=settings.batch_size, seed=config.seed),
        run=run,
        seed=config.seed,
        fit=partial(fit, trainer=build(config.trainer), callbacks=[best], **fit_settings(settings)),
        model_config=cast(dict[str, Any], OmegaConf.to_container(config.flow_model, resolve=True)),
        finish=finish,
    )
    return cast(DensityModel, trained)


@rank_zero_only
def write_cost(run: Path, training: DensityTraining, best_step: int | None) -> None:
    """Write the training's steps, parameters and seconds; one process of a distributed training writes."""
    wall_s, cpu_s = training.budget.clock.elapsed()
    parameters = sum(parameter.numel() for parameter in cast(nn.Module, training.model).parameters())
    cost: dict[str, float | None] = {"steps": training.global_step, "best_step": best_step}
    cost |= {"parameters": parameters, "wall_s": wall_s, "cpu_s": cpu_s}
    write_bytes(run / COST, (json.dumps(cost, indent=1) + "\n").encode())


def load_density(run: str | Path) -> DensityModel:
    """The trained density of a run folder, in evaluation mode; the folder need not be trusted.

    Raises:
        UserError: if manifest or weights are missing or corrupt, or name anything but wavegen's models.
    """
    run = Path(run)
    if not weights_file(run, STAGE).exists():
        raise UserError(f"{run} contains no trained density: {weights_file(run, STAGE)} is missing")
    model = load_model(run, STAGE)
    if model is None:
        raise UserError(f"the manifest of {run} has no entry '{STAGE}', expected the run of a density")
    return model

"""The one stage of a density's run: fit it to the data, keep it, find it again."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import lightning
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from wavegen.calls import build
from wavegen.data.context import LabelContext, NoContext
from wavegen.data.images.image_set import ImageSet
from wavegen.data.tables import TableSet
from wavegen.errors import UserError
from wavegen.files import write_bytes
from wavegen.flows import Flow
from wavegen.metrics.bits import bits_per_dimension
from wavegen.runs.folder import CONFIG
from wavegen.runs.plain_yaml import read_plain_yaml
from wavegen.runs.voice import build_model, load_built, save_weights
from wavegen.training.clock import TrainingClock
from wavegen.training.density import DensityTraining
from wavegen.training.density_data import DensityData
from wavegen.training.fit import fit
from wavegen.training.selection import BestOnDev
from wavegen.training.settings import fit_settings, optimisation

WEIGHTS = "flow.safetensors"
COST = "training.json"


def load_data(config: DictConfig) -> tuple[ImageSet | TableSet, NoContext | LabelContext]:
    """The configured data and what the density is conditioned on.

    Raises:
        UserError: in the words of the source, where it is missing or holds something else.
    """
    return build(config.data), build(config.context)


def fill_in_event(config: DictConfig, data: ImageSet | TableSet, context: NoContext | LabelContext) -> None:
    """Write into ``config.event`` what of the data the model's configuration refers to.

    Raises:
        UserError: where the model is one of tables and the data are images, or the other way round; where the
            context needs labels and there are none.
    """
    images = isinstance(data, ImageSet)
    model = config.flow_model._target_.rpartition(".")[2]
    event = {
        "name": f"{data.name}-{model}",
        "image_shape": list(data.image_shape) if images else None,
        "num_levels": data.num_levels if images else None,
        "features": None if images else data.num_features,
        "context_features": context.num_features(data),
    }
    OmegaConf.update(config, "event", event)
    wanted, other = ("image_shape", "features") if images else ("features", "image_shape")
    if wanted not in config.flow_model and other in config.flow_model:
        kinds = {"image_shape": "images", "features": "the rows of a table"}
        raise UserError(
            f"{config.flow_model._target_} is a model of {kinds[other]} but {data.name} holds "
            f"{kinds[wanted]}, expected data and flow_model that go together"
        )


def cost_of(data: ImageSet | TableSet) -> tuple[str, Callable[[Tensor], Tensor]]:
    """What a log-probability in nats is reported as: bits per dimension of an image, nats of a row."""
    if isinstance(data, ImageSet):
        return "bits_per_dimension", partial(bits_per_dimension, num_dimensions=data.num_dimensions)
    return "nats", Tensor.neg


def new_flow(config: DictConfig) -> Flow:
    """The configured flow as it starts, from the configured seed.

    Raises:
        UserError: where it cannot be built for these data; nothing has been written by then.
    """
    lightning.seed_everything(config.seed, verbose=False)
    return build_model(OmegaConf.to_container(config.flow_model, resolve=True), source="flow_model")


def train_density(
    config: DictConfig, flow: Flow, data: ImageSet | TableSet, context: NoContext | LabelContext, run: Path
) -> Flow:
    """Fit the flow, or load the run's where it is already there.

    The weights are the averaged ones of the validation that cost least on dev, saved in the run beside
    ``training.json``: steps, the best of them, parameters, seconds.
    """
    if (run / WEIGHTS).exists():
        return load_flow(run)
    name, cost = cost_of(data)
    best = BestOnDev(flow)
    module = DensityTraining(
        flow=flow,
        context=context,
        num_classes=data.num_classes,
        cost=cost,
        cost_name=name,
        **optimisation(config.flow_training),
    )
    fit(
        module=module,
        data=DensityData(data=data, batch_size=config.flow_training.batch_size, seed=config.seed),
        trainer=build(config.trainer),
        run=run,
        stage="flow",
        seed=config.seed,
        callbacks=[best],
        **fit_settings(config.flow_training),
    )
    best.restore()
    keep(run, flow, steps=module.global_step, best_step=best.step, clock=module.budget.clock)
    return flow.eval()


@rank_zero_only
def keep(run: Path, flow: Flow, *, steps: int, best_step: int, clock: TrainingClock) -> None:
    """Write what the training came to, once for all processes; last the weights, which say it is done."""
    wall_s, cpu_s = clock.elapsed()
    parameters = sum(parameter.numel() for parameter in flow.parameters())
    cost = {"steps": steps, "best_step": best_step, "parameters": parameters}
    cost |= {"wall_s": wall_s, "cpu_s": cpu_s}
    write_bytes(run / COST, (json.dumps(cost, indent=1) + "\n").encode())
    save_weights(run, WEIGHTS.partition(".")[0], flow)


def load_flow(run: str | Path) -> Flow:
    """The trained flow of a run folder, in evaluation mode; the folder may come from a stranger.

    Raises:
        UserError: where configuration or weights are missing, corrupt, or name anything but wavegen's models.
    """
    run = Path(run)
    if not (run / WEIGHTS).exists():
        raise UserError(f"{run} holds no trained flow: {run / WEIGHTS} is missing")
    model_config = read_plain_yaml(run / CONFIG).get("flow_model")
    if not isinstance(model_config, dict):
        raise UserError(f"{run / CONFIG} has no 'flow_model', expected the configuration of a flow's run")
    return load_built(model_config, run / WEIGHTS, f"{run / CONFIG}, flow_model")

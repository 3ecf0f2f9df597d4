"""Trains flows of densities of the plane: many short fits in parallel, each saved when it is done."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.distributions import Distribution

from wavegen.calls import build
from wavegen.distributions.energies import PlaneDensity
from wavegen.errors import UserError
from wavegen.objectives.forward_kl import forward_kl
from wavegen.objectives.reverse_kl import reverse_kl
from wavegen.runs.weights import weights_file
from wavegen.training.data import StepNumbers
from wavegen.training.fit import fit_briefly
from wavegen.training.module import TrainingModule
from wavegen.training.quiet import one_thread
from wavegen.training.settings import optimisation
from wavegen.training.stage import run_stage
from wavegen.workers import available_cores, map_in_processes

Configuration = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One training as plain configurations, so that any process can run it.

    Args:
        name: data set and model, or target and direction.
        target: a ``PlaneDensity``.
        model: a ``Flow`` over the plane.
        objective: partial of an objective of this file, without ``target``.
        optimisation: ``max_steps``, ``optimizer``, ``schedule``, ``gradient_clip``.
        seed: of initial weights and of all random draws.
    """

    name: tuple[str, str]
    target: Configuration
    model: Configuration
    objective: Configuration
    optimisation: Configuration
    seed: int


@dataclass(frozen=True)
class Fit:
    """The result of a cell: the fitted flow, in evaluation mode, and its target."""

    target: PlaneDensity
    flow: nn.Module


Fits = dict[tuple[str, str], Fit]


class SamplesObjective:
    """Forward KL to a target, estimated with new samples of it at each step."""

    def __init__(self, *, target: PlaneDensity, num_samples: int) -> None:
        self.target, self.num_samples = target, num_samples

    def __call__(self, distribution: Distribution) -> Tensor:
        return forward_kl(distribution, self.target.sample(self.num_samples))


class DensityObjective:
    """Reverse KL to a target, which needs only its unnormalised density."""

    def __init__(self, *, target: PlaneDensity, num_samples: int) -> None:
        self.target, self.num_samples = target, num_samples

    def __call__(self, distribution: Distribution) -> Tensor:
        return reverse_kl(distribution, self.target.log_density, self.num_samples)


class PlaneTraining(TrainingModule):
    """Minimises ``objective(flow())``; the objective's draws are a function of the step (``StepSeed``)."""

    def __init__(
        self, *, flow: nn.Module, objective: Callable[[Distribution], Tensor], **optimisation: Any
    ) -> None:
        super().__init__(**optimisation)
        self.flow, self.objective = flow, objective

    def training_step(self, step: int) -> Tensor:
        return self.check_finite("loss", self.objective(self.flow()))


def train_gallery(config: DictConfig, run: Path) -> Fits:
    """Fit every model of ``config.models`` to samples of every data set of ``config.datasets``."""
    plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    shared = {key: plain[key] for key in ("objective", "optimisation", "seed")}
    cells = [
        Cell(name=(data, kind), target=target, model=model, **shared)
        for data, target in _entries(plain, "datasets")
        for kind, model in _entries(plain, "models")
    ]
    return train_cells(cells, run, config.trainer.num_jobs, title="gallery")


def train_both_ways(config: DictConfig, run: Path) -> Fits:
    """Fit every target of ``config.targets`` in both directions of ``config.directions``."""
    plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    cells = [
        Cell(name=(name, direction), target=target, seed=plain["seed"], **fit)
        for name, target in _entries(plain, "targets")
        for direction, fit in _entries(plain, "directions")
    ]
    return train_cells(cells, run, config.trainer.num_jobs, title="duality")


def _entries(config: Configuration, key: str) -> Iterable[tuple[str, Configuration]]:
    entries = [(name, entry) for name, entry in config[key].items() if entry is not None]
    if not entries:
        raise UserError(f"{key}: expected at least one entry, got none")
    for name, _ in entries:  # the name becomes part of file names
        if not re.fullmatch(r"[\w+-]+", name):
            raise UserError(f"{key} has the entry {name!r}, expected a name of letters, digits, _, + and -")
    return entries


def train_cells(cells: Sequence[Cell], run: Path, num_jobs: int | None, *, title: str) -> Fits:
    """Train the cells that the run does not contain yet, several at once, with one progress bar.

    Each uses one thread, so that its result does not depend on the number of processes.

    Args:
        num_jobs: processes; None for the number of available cores.

    Raises:
        UserError: of the first cell that fails, with its name; finished cells remain saved.
    """
    missing = [cell for cell in cells if not weights_file(run, _name(cell)).exists()]
    for cell, outcome in _outcomes(missing, run, num_jobs, title):
        if outcome is not None:
            raise UserError(f"{' / '.join(cell.name)}: {outcome}")
    return {cell.name: _load(cell, run) for cell in cells}


def _outcomes(
    cells: list[Cell], run: Path, num_jobs: int | None, title: str
) -> Iterator[tuple[Cell, str | None]]:
    """Each cell with its error message (None for success), in the order of the cells."""
    num_jobs = min(num_jobs or available_cores(), len(cells))
    if cells:
        fit = partial(train_cell, run=run)
        yield from map_in_processes(fit, cells, num_jobs=num_jobs, title=title, unit="fit")


def train_cell(cell: Cell, run: Path) -> str | None:
    """Fit one cell and write its weights; returns the message of a ``UserError``, None for success."""
    try:
        with one_thread():
            _stage(cell, run)
    except UserError as error:
        return str(error)
    return None


def _stage(cell: Cell, run: Path) -> nn.Module:
    """The fitted flow, loaded from the run or trained now."""
    settings = OmegaConf.create(dict(cell.optimisation))

    def training(flow: nn.Module) -> PlaneTraining:
        return PlaneTraining(
            flow=flow,
            objective=build(cell.objective)(target=build(cell.target)),
            **optimisation(settings),
        )

    return run_stage(
        _name(cell),
        partial(build, cell.model),
        training,
        lambda _: StepNumbers(),
        run=run,
        seed=cell.seed,
        fit=partial(fit_briefly, gradient_clip=settings.gradient_clip),
    )


def _name(cell: Cell) -> str:
    return "weights/" + "-".join(cell.name)


def _load(cell: Cell, run: Path) -> Fit:
    return Fit(build(cell.target), _stage(cell, run))

"""The range of every number in the settings of a training, and of the trainer; a mistake is one sentence."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, NamedTuple

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig

from wavegen.calls import SPECIAL, build
from wavegen.errors import UserError
from wavegen.training.quiet import quiet_lightning


class Range(NamedTuple):
    """From ``least`` to ``most``; ``open_below``: without ``least``; ``whole``: whole numbers only."""

    least: float
    most: float = math.inf
    whole: bool = False
    open_below: bool = False

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else Real):
            return False
        number = float(value)  # type: ignore[arg-type]  # numbers, as tested above
        above = number > self.least if self.open_below else number >= self.least
        return above and number <= self.most and math.isfinite(number)

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        if self.most < math.inf:
            return f"{kind} from {self.least:g} to {self.most:g}"
        return f"{kind} above {self.least:g}" if self.open_below else f"{kind} of at least {self.least:g}"


RANGES = {
    "batch_size": Range(1, whole=True),
    "segment_s": Range(0, open_below=True),
    "num_workers": Range(0, whole=True),
    "checkpoint_layers": Range(0, whole=True),
    "validate_every_steps": Range(1, whole=True),
    "dev_batches": Range(1, whole=True),
    "accumulate_batches": Range(1, whole=True),
    "speak_every_num_validations": Range(1, whole=True),
    "checkpoint_every_minutes": Range(0),
    "gradient_clip": Range(0, open_below=True),
    "average_decay": Range(0, 1),
}
"""Of settings of ``configs/optimisation``. Those of the budget are checked by the budget itself."""

SEEDS = Range(0, 2**32 - 1, whole=True)


def check_ranges(settings: Mapping[str, Any]) -> None:
    """Raises UserError for a setting that is out of its range, with its name."""
    for name, allowed in RANGES.items():
        if name in settings and settings[name] not in allowed:
            raise UserError(f"{name} must be {allowed}, got {settings[name]!r}")


def check_seed(seed: object) -> None:
    """Raises UserError unless the seed is one that torch and NumPy both take."""
    if seed not in SEEDS:
        raise UserError(f"seed must be {SEEDS}, got {seed!r}")


def check_optimizer(optimizer: Any) -> None:
    """Try a partial of an optimiser on one number. Raises UserError if it refuses its arguments."""
    try:
        optimizer([torch.nn.Parameter(torch.zeros(1))])
    except (TypeError, ValueError) as error:
        raise UserError(f"optimizer refuses its settings: {_first_line(error)}") from error


def check_trainer(config: DictConfig, precision: str | None = None) -> None:
    """Build a trainer of ``config.trainer`` and drop it.

    Args:
        precision: of a training; None or ``auto`` for the trainer's own.

    Raises:
        UserError: if Lightning refuses the settings.
    """
    own = {} if precision in (None, "auto") else {"precision": precision}
    if "accumulate_grad_batches" in config.trainer:
        raise UserError(
            "trainer.accumulate_grad_batches is not used; set accumulate_batches of each training"
        )
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    try:
        with quiet_lightning():
            build(config.trainer)(enable_model_summary=False, **quiet, **own)
    except (MisconfigurationException, TypeError, ValueError, RuntimeError) as error:
        given = {name: value for name, value in config.trainer.items() if name not in SPECIAL} | own
        shown = ", ".join(f"{name}={value}" for name, value in given.items())
        raise UserError(f"trainer cannot be built with {shown}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]

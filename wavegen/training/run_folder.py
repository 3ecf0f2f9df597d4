"""The folder a run writes: its configuration, and the right to go on in it."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from wavegen.errors import UserError
from wavegen.files import write_bytes
from wavegen.models.bundle import refuse_foreign_targets

CONFIG = "config.yaml"
ALLOWED_TARGETS = ("wavegen.", "torch.optim.", "lightning.")
# Keys that may differ between the start and the resumption of a run: where and how to run, not what.
FREE_KEYS = {"run", "resume", "trainer", "evaluation", "experiment"}


def resume_config(config: DictConfig) -> DictConfig:
    """The configuration to run: with ``resume=RUN`` the one RUN was started with, else this one.

    Raises:
        UserError: where RUN has no readable ``config.yaml``, or one of another recipe.
    """
    if config.resume is None:
        return config
    path = Path(config.resume) / CONFIG
    if not path.exists():
        raise UserError(f"resume={config.resume} is no run: {path} is missing")
    started = OmegaConf.create(read_config(path))
    missing = [key for key in config if key not in started]
    if missing:
        raise UserError(f"{path} is of another recipe: it has no '{missing[0]}'")
    started.run, started.resume = config.resume, None
    return started


def read_config(path: Path) -> dict[str, Any]:
    """A run's resolved configuration; it may come from a stranger, so it may name only what a run is made of.

    Raises:
        UserError: where it is no readable YAML mapping, or names other code.
    """
    try:
        content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except (OSError, OmegaConfBaseException, YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read as YAML ({reason})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, expected a mapping")
    refuse_foreign_targets(content, path, ALLOWED_TARGETS)
    return content


def open_run(config: DictConfig) -> Path:
    """Make the folder and write the resolved configuration, or check that it is the same.

    Args:
        config: of the recipe, its ``voice`` entry filled in from the corpus.

    Raises:
        UserError: naming the first key in which a run already there differs.
    """
    run = Path(config.run)
    resolved = OmegaConf.to_container(config, resolve=True)
    path = run / CONFIG
    if path.exists():
        there = read_config(path)
        key = first_difference(
            {k: v for k, v in there.items() if k not in FREE_KEYS},
            {k: v for k, v in resolved.items() if k not in FREE_KEYS},
        )
        if key is not None:
            raise UserError(
                f"{run} holds a run with another '{key}'; give run= another folder, or resume={run} to go on "
                "with its own configuration"
            )
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the run folder {run} cannot be made ({error.strerror})") from error
    write_bytes(path, OmegaConf.to_yaml(OmegaConf.create(resolved)).encode())
    return run


def first_difference(left: Any, right: Any, prefix: str = "") -> str | None:
    """The dotted name of the first entry in which two containers differ, None where they are equal."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in [*left, *(key for key in right if key not in left)]:
            if key not in left or key not in right:
                return f"{prefix}{key}"
            found = first_difference(left[key], right[key], f"{prefix}{key}.")
            if found is not None:
                return found
        return None
    return None if left == right else prefix.rstrip(".")

"""The folder a run writes: its configuration, and the right to go on in it."""

import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from wavegen.errors import UserError
from wavegen.files import write_bytes
from wavegen.runs.manifest import what_is_no_folder
from wavegen.untrusted.arguments import check_calls
from wavegen.untrusted.plain_yaml import read_plain_yaml
from wavegen.untrusted.targets import refuse_foreign_targets

CONFIG = "config.yaml"
# Keys that may differ between the start and the resumption of a run: where and how to run, not what.
FREE_KEYS = {"run", "resume", "trainer", "evaluation", "experiment"}


def resume_config(config: DictConfig) -> DictConfig:
    """The configuration to run: with ``resume=RUN`` the one RUN was started with, else this one.

    RUN may come from a stranger. Its configuration may call what ``wavegen.untrusted.targets`` lists, and
    nothing is written but into RUN: its corpus has to be there.

    Raises:
        UserError: where RUN has no readable ``config.yaml``, or one of another recipe; where that calls
            anything else, or its corpus is missing.
    """
    if config.resume is None:
        return config
    path = Path(config.resume) / CONFIG
    if wrong := what_is_no_folder(Path(config.resume)):
        raise UserError(f"resume={config.resume} {wrong}")
    if not path.exists():
        raise UserError(f"resume={config.resume} is no run: {path} is missing")
    content = read_plain_yaml(path)
    for key, own in OmegaConf.to_container(config).items():
        if key not in content:
            raise UserError(f"{path} is of another recipe: it has no '{key}'")
        if isinstance(own, dict) and not isinstance(content[key], dict):
            raise UserError(f"{path}: {key} is {content[key]!r}, expected settings")
    advice = "; a run of parts of your own goes on by the command that started it, without resume="
    refuse_foreign_targets(content, path, advice=advice)
    check_calls(content, path)
    if "evaluation" in config and (unknown := content["evaluation"].keys() - config.evaluation.keys()):
        raise UserError(f"{path}: evaluation has the key '{min(unknown)}', which no evaluation has")
    if "corpus" in config:
        _require_corpus(content["corpus"].get("directory"), path)
    started = OmegaConf.create(content)
    started.run, started.resume = config.resume, None
    return started


def _refuse_links(run: Path) -> None:
    """A link in a run from a stranger would have files written wherever it leads."""
    for folder, subfolders, files in os.walk(run):
        for path in (Path(folder) / name for name in (*subfolders, *files)):
            if path.is_symlink() and not path.resolve().is_relative_to(run.resolve()):
                raise UserError(
                    f"{path} is a link out of the run, to {path.resolve()}; expected a run folder that keeps "
                    "its files itself"
                )


def _require_corpus(directory: Any, path: Path) -> None:
    if not isinstance(directory, str):
        raise UserError(f"{path}: corpus.directory is {directory!r}, expected a prepared corpus's folder")
    if not (Path(directory) / "corpus.json").is_file():
        raise UserError(
            f"{path}: there is no corpus in corpus.directory={directory}, and a resumed run writes into its "
            "own folder alone: prepare the corpus first (wavegen prepare)"
        )


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
        _refuse_links(run)
        there = read_plain_yaml(path)
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

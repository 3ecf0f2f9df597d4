"""Opens the folder of a run: writes its configuration, or checks it when the run is resumed."""

import os
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from wavegen.errors import UserError
from wavegen.files import write_bytes
from wavegen.runs.manifest import what_is_no_folder
from wavegen.untrusted.arguments import check_calls
from wavegen.untrusted.plain_yaml import read_plain_yaml
from wavegen.untrusted.targets import refuse_foreign_targets

CONFIG = "config.yaml"
# Keys that may differ between the start and the resumption of a run; they do not change its results.
FREE_KEYS = {"run", "resume", "trainer", "evaluation", "experiment"}


def resume_config(config: DictConfig) -> DictConfig:
    """The configuration to run: with ``resume=RUN`` the one that RUN was started with, else ``config``.

    RUN need not be trusted. Its configuration may only call what ``wavegen.untrusted.targets`` lists, and
    only files in RUN are written; so its corpus must exist.

    Raises:
        UserError: if RUN has no readable ``config.yaml``, or that of another recipe; if the configuration
            calls anything else, or its corpus is missing.
    """
    if config.resume is None:
        return config
    path = Path(config.resume) / CONFIG
    if wrong := what_is_no_folder(Path(config.resume)):
        raise UserError(f"resume={config.resume} {wrong}")
    if not path.exists():
        raise UserError(f"resume={config.resume} is not a run folder: {path} is missing")
    content = read_plain_yaml(path)
    for key, own in cast(dict[str, Any], OmegaConf.to_container(config)).items():
        if key not in content:
            raise UserError(f"{path} belongs to another recipe: it has no '{key}'")
        if isinstance(own, dict) and not isinstance(content[key], dict):
            raise UserError(f"{path}: {key} is {content[key]!r}, expected a group of settings")
    advice = "; to resume a run with your own parts, repeat the command that started it, without resume="
    refuse_foreign_targets(content, path, advice=advice)
    check_calls(content, path)
    if "evaluation" in config and (unknown := content["evaluation"].keys() - config.evaluation.keys()):
        raise UserError(f"{path}: evaluation has the unknown key '{min(unknown)}'")
    if "corpus" in config:
        _require_corpus(content["corpus"].get("directory"), path)
    started = OmegaConf.create(content)
    started.run, started.resume = config.resume, None
    return started


def check_stored(part: DictConfig, key: str) -> None:
    """Check the arguments in a part of a configuration as ``resume=`` will when the run has stored it.

    A part that calls anything else than ``configs/`` names is not checked: ``resume=`` refuses it anyway.

    Args:
        key: of the part, for the message.

    Raises:
        UserError: if an argument is unknown, not annotated, or its value does not fit the annotation.
    """
    content = {key: OmegaConf.to_container(part, resolve=True, throw_on_missing=True)}
    try:
        refuse_foreign_targets(content, "the configuration")
    except UserError:
        return
    check_calls(content, "the configuration")


def _refuse_links(run: Path) -> None:
    """Refuse links out of the run: an untrusted run could otherwise make wavegen overwrite any file."""
    for folder, subfolders, files in os.walk(run):
        for path in (Path(folder) / name for name in (*subfolders, *files)):
            if path.is_symlink() and not path.resolve().is_relative_to(run.resolve()):
                raise UserError(
                    f"{path} is a link out of the run folder, to {path.resolve()}; expected a run "
                    "with all its files in its own folder"
                )


def _require_corpus(directory: Any, path: Path) -> None:
    if not isinstance(directory, str):
        raise UserError(f"{path}: corpus.directory is {directory!r}, expected a folder with a corpus")
    if not (Path(directory) / "corpus.json").is_file():
        raise UserError(
            f"{path}: there is no corpus in corpus.directory={directory}, and a resumed run writes only into "
            "its own folder: prepare the corpus first (wavegen prepare)"
        )


def open_run(config: DictConfig) -> Path:
    """Make the folder and write the resolved configuration, or check that it is the same.

    Args:
        config: of the recipe, its ``voice`` entry filled in from the corpus.

    Raises:
        UserError: if the folder contains a run with another configuration; names the first key that differs.
    """
    run = Path(config.run)
    resolved = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
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
                f"{run} contains a run with another '{key}'; give run= another folder, or use resume={run} "
                "to continue with the run's own configuration"
            )
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the run folder {run} cannot be created ({error.strerror})") from error
    write_bytes(path, OmegaConf.to_yaml(OmegaConf.create(resolved)).encode())
    return run


def first_difference(left: Any, right: Any, prefix: str = "") -> str | None:
    """The dotted name of the first entry in which two containers differ, None if they are equal."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in [*left, *(key for key in right if key not in left)]:
            if key not in left or key not in right:
                return f"{prefix}{key}"
            found = first_difference(left[key], right[key], f"{prefix}{key}.")
            if found is not None:
                return found
        return None
    return None if left == right else prefix.rstrip(".")

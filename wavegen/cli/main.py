"""The command line: ``wavegen <recipe> [key=value ...]``.

Exit status: 0, done; 1, a defect of wavegen (with its traceback); 2, something the user can mend (one
sentence); 128 + its number, a signal has interrupted it: 130, Ctrl-C; 143, SIGTERM; 129, SIGHUP; 141, whoever
read the standard output has gone.
"""

import difflib
import errno
import importlib.util
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from wavegen import __version__
from wavegen.cli.help import describe, describe_all
from wavegen.cli.recipes import find_recipes
from wavegen.errors import UserError
from wavegen.interruption import Interrupted, interruptible
from wavegen.resources import resource_directory

if TYPE_CHECKING:
    from omegaconf import DictConfig

TRACEBACK_VARIABLE = "WAVEGEN_TRACEBACK"  # =1 shows where a user error was raised


def main(
    arguments: Sequence[str] | None = None, *, recipes: Path | None = None, configs: Path | None = None
) -> int:
    """Runs one command and returns its exit status.

    Args:
        arguments: What follows ``wavegen``; the process's own by default.
        recipes, configs: Directories to look in; those of this installation by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with interruptible():
            return _dispatch(
                words,
                recipes or resource_directory("recipes"),
                configs or resource_directory("configs"),
            )
    except UserError as error:
        if os.environ.get(TRACEBACK_VARIABLE) == "1":
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, Interrupted) as error:  # before anything ran; a recipe's own is handled there
        interrupt = _find_interrupt(error)
        assert interrupt is not None  # the error is one itself
        return _end_interrupted(interrupt)


def _dispatch(words: list[str], recipes: Path, configs: Path) -> int:
    if not words or words[0] in ("--help", "-h", "help"):
        return _say(describe_all(recipes, configs))
    if words[0] == "--version":
        return _say(f"wavegen {__version__}")
    recipe, *overrides = words
    scripts = find_recipes(recipes)
    if recipe not in scripts:
        raise _unknown_recipe(recipe, scripts)
    if not (configs / f"{recipe}.yaml").is_file():
        raise UserError(f"recipe {recipe} has no configuration: expected {configs / f'{recipe}.yaml'}")
    if "--help" in overrides or "-h" in overrides:
        return _say(describe(recipe, recipes, configs, overrides))

    from wavegen.cli.composition import compose_config  # here, so that help need not wait for Hydra

    show_config = "--config" in overrides
    config = compose_config(recipe, [word for word in overrides if word != "--config"], configs=configs)
    if show_config:
        from omegaconf import OmegaConf

        return _say(OmegaConf.to_yaml(config).rstrip())
    return _run(recipe, scripts[recipe], config)


def _say(text: str) -> int:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # `wavegen distill --help | head`: nobody reads on, nor should Python complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _unknown_recipe(recipe: str, scripts: dict[str, Path]) -> UserError:
    nearest = difflib.get_close_matches(recipe, scripts, n=1)
    advice = f"did you mean {nearest[0]}?" if nearest else "`wavegen --help` describes them"
    return UserError(f"no recipe '{recipe}', expected one of {', '.join(scripts)}; {advice}")


def _run(recipe: str, script: Path, config: "DictConfig") -> int:
    from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

    from wavegen.runtime import prepare_process, quiet_libraries

    try:
        prepare_process()
        quiet_libraries()
        _load(recipe, script).main(config)
    except UserError:
        raise
    except (KeyboardInterrupt, Interrupted, SystemExit) as error:
        interrupt = _find_interrupt(error)
        if interrupt is None:
            raise
        return _end_interrupted(interrupt, _how_to_resume(recipe, config))
    except MissingMandatoryValue as error:  # a value without default (`???`) that was not given
        raise UserError(f"{error.full_key} must be given: add {error.full_key}=…") from error
    except InterpolationResolutionError as error:  # a value names another key, which there is not
        reason = str(error).partition("\n")[0]
        raise UserError(f"{error.full_key} refers to a value that cannot be found: {reason}") from error
    except Exception as error:
        full = _find_full_disk(error)
        if full is None:
            raise
        raise UserError(
            f"the disk is full ({full}): free some space; {_how_to_resume(recipe, config)}"
        ) from error
    return 0


def _load(recipe: str, script: Path) -> ModuleType:
    """Imports a recipe from its file: in a wheel it lies in the package, in a checkout outside of it."""
    name = f"wavegen_recipe_{recipe}"
    spec = importlib.util.spec_from_file_location(name, script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _find_interrupt(error: BaseException) -> Interrupted | None:
    """The signal behind an error, which libraries may have turned into another: ``sys.exit(1)``, say."""
    for link in _chain(error):
        if isinstance(link, Interrupted):
            return link
        if isinstance(link, KeyboardInterrupt):
            return Interrupted(signal.SIGINT)
    return None


def _end_interrupted(interrupt: Interrupted, advice: str = "") -> int:
    """The last words: what came, what was saved, how to go on; and the exit status."""
    came = "interrupted" if interrupt.signum == signal.SIGINT else signal.Signals(interrupt.signum).name
    words = "; ".join(clause for clause in (interrupt.kept, advice) if clause)
    print(f"\n{came}: {words}" if words else f"\n{came}", file=sys.stderr)
    return 128 + interrupt.signum


def _find_full_disk(error: BaseException) -> str | None:
    """What the system said when the disk was full, or None where that was not the reason.

    Libraries that write through their own C or Rust code (torch, safetensors, libsndfile) raise other
    types than OSError, in whose text the system's words survive.
    """
    for link in _chain(error):
        if (isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT)) or (
            os.strerror(errno.ENOSPC) in str(link)
        ):
            return str(link).partition("\n")[0]
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _how_to_resume(recipe: str, config: "DictConfig") -> str:
    folder = config.get("resume") or config.get("run")
    if "resume" in config and folder and (Path(folder) / "config.yaml").is_file():
        return f"go on with `wavegen {recipe} resume={shlex.quote(str(folder))}`"
    return "the same command starts it again"

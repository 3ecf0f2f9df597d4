"""Instantiates what a configuration describes. A mistake in the configuration is a ``UserError``."""

import importlib
import inspect
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from wavegen.errors import UserError

TARGET, PARTIAL = "_target_", "_partial_"
SPECIAL = (TARGET, PARTIAL, "_convert_", "_recursive_", "_args_")
MISSING = "???"  # OmegaConf's mark of a value that must be given; Hydra asks for it
NO_KEY = "the configuration"


def build(config: Any, **options: Any) -> Any:
    """``hydra.utils.instantiate`` of one call, with all calls in its arguments.

    Args:
        config: a mapping with a ``_target_``; None gives None.
        options: further arguments of the call, or Hydra's own (``_convert_``).

    Raises:
        UserError: if a target is missing, cannot be imported or does not take the arguments (nothing has been
            called then); or of a constructor. Any other exception of a constructor is Hydra's
            ``InstantiationException``, whose cause it is.
    """
    if isinstance(config, Mapping | DictConfig) and not _is_null(config) and TARGET not in config:
        raise UserError(f"{_key_of(config)} has no {TARGET}, expected the name of a class or function")
    return build_all(config, **options)


def build_all(config: Any, **options: Any) -> Any:
    """As :func:`build`, of all calls at any depth of a container, which need not be one itself."""
    plain = OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
    arguments = {name: value for name, value in options.items() if name not in SPECIAL}
    _check(plain | arguments if isinstance(plain, dict) else plain, _key_of(config))
    try:
        return instantiate(config, **options)
    except InstantiationException as error:  # hydra wraps every exception
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from error
        if error.__cause__ is None:  # its own words about the configuration
            raise UserError(f"{_key_of(config)}: {str(error).strip().splitlines()[0]}") from error
        raise


def locate(target: str, place: str) -> Any:
    """The class or function of a dotted name; modules are imported as needed.

    Args:
        place: of the name in the configuration, for the message.

    Raises:
        UserError: if it cannot be imported.
    """
    try:
        path, *rest = target.split(".")
        found: Any = importlib.import_module(path)
        for name in rest:
            parent, path = path, f"{path}.{name}"
            if hasattr(found, name):
                found = getattr(found, name)
            elif isinstance(found, ModuleType) and hasattr(found, "__path__"):
                found = importlib.import_module(path)
            else:
                raise AttributeError(f"{parent} has no '{name}'")
        return found
    except Exception as error:  # the module that is imported may raise anything
        raise UserError(f"{place} names {target}, which cannot be imported: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """What happened, and where if it was within the imported module."""
    frames = traceback.extract_tb(error.__traceback__)
    last = [frame for frame in frames if "importlib" not in frame.filename][-1]
    if isinstance(error, SyntaxError) or last.filename == __file__:
        return str(error)
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"


def _check(node: Any, place: str) -> None:
    """Raise UserError for the first call of the configuration that cannot be made as it is described."""
    if isinstance(node, Mapping):
        if node.get(TARGET, MISSING) != MISSING:
            _check_call(node, place)
        if node.get("_recursive_", True):
            for name, value in node.items():
                _check(value, _below(place, name))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            _check(value, f"{place}[{index}]")


def _check_call(node: Mapping[str, Any], place: str) -> None:
    target = node[TARGET]
    if not (isinstance(target, str) or callable(target)):
        raise UserError(f"{_below(place, TARGET)} is {target!r}, expected the name of a class or function")
    function = locate(target, place) if isinstance(target, str) else target
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # Hydra names what cannot be called; some built-in functions have none
        return
    arguments = {name: value for name, value in node.items() if name not in SPECIAL}
    try:
        bind = signature.bind_partial if node.get(PARTIAL, False) else signature.bind
        bind(*node.get("_args_", ()), **arguments)
    except TypeError as error:
        what = None if "_args_" in node else _misfit(signature, arguments, target)
        raise UserError(f"{place} {what or f'does not fit {target}: {error}'}") from error
    hints = _hints(function)
    for name, value in arguments.items():
        if isinstance(value, Mapping) and TARGET not in value and not _takes_mapping(hints.get(name, Any)):
            key = _below(place, name)
            raise UserError(f"{key} has no {TARGET}, expected the name of a class or function")


def _misfit(signature: inspect.Signature, arguments: Mapping[str, Any], target: Any) -> str | None:
    """Which argument is one too many, or missing."""
    parameters = signature.parameters
    if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        for name in arguments:
            if name not in parameters:
                return f"has the argument '{name}', which {target} does not take"
    for name, one in parameters.items():
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            if name not in arguments:
                return f"has no '{name}', which {target} needs"
    return None


def _hints(function: Callable) -> dict[str, Any]:
    try:
        return get_type_hints(function.__init__ if inspect.isclass(function) else function)
    except (AttributeError, NameError, TypeError):  # of another package, for type checkers alone
        return {}


def _takes_mapping(hint: Any) -> bool:
    """Whether an annotation admits a mapping as it is, and not only what a call makes."""
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        return any(_takes_mapping(part) for part in get_args(hint))
    try:
        return (
            kind is Any
            or not isinstance(kind, type)
            or issubclass(dict, kind)
            or issubclass(kind, Mapping | dict)
        )
    except TypeError:  # a protocol with attributes
        return False


def _key_of(config: Any) -> str:
    """The dotted key of a part of a composed configuration."""
    return (config._get_full_key(None) if OmegaConf.is_config(config) else "") or NO_KEY


def _below(place: str, name: str) -> str:
    return name if place == NO_KEY else f"{place}.{name}"


def _is_null(config: Any) -> bool:
    return isinstance(config, DictConfig) and config._is_none()

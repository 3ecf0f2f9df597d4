"""Instantiates what a configuration describes."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from wavegen.errors import UserError


def build(config: Any, **options: Any) -> Any:
    """``hydra.utils.instantiate``, but a constructor's ``UserError`` is raised as it is."""
    try:
        return instantiate(config, **options)
    except InstantiationException as error:  # hydra wraps every exception
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from error
        raise

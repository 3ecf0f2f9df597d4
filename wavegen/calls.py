"""Making what a configuration describes."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from wavegen.errors import UserError


def build(config: Any, **options: Any) -> Any:
    """What ``config`` calls, made by ``hydra.utils.instantiate``. A constructor's ``UserError`` stays one."""
    try:
        return instantiate(config, **options)
    except InstantiationException as error:  # hydra wraps whatever was raised
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from error
        raise

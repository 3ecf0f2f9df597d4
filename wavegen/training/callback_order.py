"""Checks the order of callbacks, because Lightning calls them in the order of their list."""

from collections.abc import Sequence

import lightning


def check_order(callbacks: Sequence[lightning.Callback]) -> None:
    """Check that each callback comes before the classes in its ``before`` and after those in its ``behind``.

    Both are tuples of classes. Classes that are not in the list are ignored.

    Raises:
        RuntimeError: if two callbacks are in the wrong order; names them.
    """
    for place, callback in enumerate(callbacks):
        for other in callbacks[:place]:
            if isinstance(other, getattr(callback, "before", ())):
                raise RuntimeError(_wrong(callback, "before", other))
        for other in callbacks[place + 1 :]:
            if isinstance(other, getattr(callback, "behind", ())):
                raise RuntimeError(_wrong(callback, "after", other))


def _wrong(callback: lightning.Callback, where: str, other: lightning.Callback) -> str:
    return f"{type(callback).__name__} must come {where} {type(other).__name__} in the list of callbacks"

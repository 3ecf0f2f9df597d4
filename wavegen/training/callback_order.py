"""Which callback has to come before which: Lightning calls them in the order of their list."""

from collections.abc import Sequence

import lightning


def check_order(callbacks: Sequence[lightning.Callback]) -> None:
    """Each callback stands before those that its class names in ``before``, and behind those in ``behind``.

    Both are tuples of classes; a class that is not in the list is no matter.

    Raises:
        RuntimeError: naming the two that stand the wrong way round.
    """
    for place, callback in enumerate(callbacks):
        for other in callbacks[:place]:
            if isinstance(other, getattr(callback, "before", ())):
                raise RuntimeError(_wrong(callback, "before", other))
        for other in callbacks[place + 1 :]:
            if isinstance(other, getattr(callback, "behind", ())):
                raise RuntimeError(_wrong(callback, "behind", other))


def _wrong(callback: lightning.Callback, where: str, other: lightning.Callback) -> str:
    return f"{type(callback).__name__} must stand {where} {type(other).__name__} in the list of callbacks"

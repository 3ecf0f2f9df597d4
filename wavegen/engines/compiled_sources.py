"""Compiled code that is kept on disk, for one state of the engines' sources.

Numba keeps a function's machine code for as long as the function's own file stays the same; what was built
into it from other files may have changed meanwhile, and code that writes to another layout of memory crashes.
So only the entry of an engine is kept, under a name that tells the state of all files of the engines: it is
compiled anew whenever anything in them has changed.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

SOURCES = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py")))
).hexdigest()
"""Of all files of the engines."""

INNER: dict[str, Any] = {
    "nogil": True,
    "_nrt": False,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz"},
}
"""Options of functions that are compiled into an entry. No reassociation: same numbers, same order.

Without Numba's runtime: the engines' loops allocate nothing, and it would count references to every array
of a named tuple at every call, with locked instructions on counters that all threads share: a third of the
time.
"""


def kept_on_disk(**options: Any) -> Callable[[Callable], Callable]:
    """Decorates the entry of an engine; ``options`` are more of Numba's."""

    def decorate(function: Callable) -> Callable:
        function.__qualname__ = f"{function.__qualname__}-{SOURCES[:16]}"  # Numba names its files by it
        return njit(**INNER, cache=True, **options)(function)

    return decorate

"""Caches the engines' compiled code on disk, separately for each version of the engines' sources.

Numba caches a function's machine code as long as the function's own file is unchanged. Functions from other
files that were inlined may have changed, and code for another memory layout crashes. So only the entry
function of an engine is cached, under a name with a hash of all the engines' files: it is compiled again
whenever one of them changes.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

_PACKAGE = Path(__file__).parent.parent
_FILES = [path for room in ("compiled", "engines") for path in sorted((_PACKAGE / room).rglob("*.py"))]

SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in _FILES)).hexdigest()
"""Hash of all files of this package and of the engines."""

INNER: dict[str, Any] = {
    "nogil": True,
    "_nrt": False,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz"},
}
"""Numba options of functions that are compiled into an entry function. Sums are not reordered.

Numba's runtime is off: the engines' loops allocate nothing, and the runtime would count references to every
array of a named tuple at every call, with atomic instructions on counters shared by all threads. That took a
third of the time.
"""


def cached_on_disk(**options: Any) -> Callable[[Callable], Callable]:
    """Decorator for the entry function of an engine; ``options`` are further options of Numba."""

    def decorate(function: Callable) -> Callable:
        function.__qualname__ = f"{function.__qualname__}-{SOURCES[:16]}"  # part of Numba's file names
        return njit(**INNER, cache=True, **options)(function)

    return decorate

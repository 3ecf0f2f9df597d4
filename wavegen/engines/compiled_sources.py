"""What compiled code that is kept on disk was made of.

Numba keeps a function's machine code for as long as the function's own file stays the same; what was built
into it from other files may have changed meanwhile, and code that writes to another layout of memory crashes.
So only the entry of an engine is kept, and as a closure over ``SOURCES``, which Numba counts in: it is
compiled anew whenever anything in this room has changed.
"""

import hashlib
from pathlib import Path

SOURCES = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py")))
).hexdigest()
"""Of all files of this room."""

INNER = {"nogil": True, "_nrt": False, "error_model": "numpy", "fastmath": {"contract", "nsz"}}
"""Options of functions that are compiled into an entry. No reassociation: same numbers, same order.

Without Numba's runtime: the engines' loops allocate nothing, and it would count references to every array
of a named tuple at every call, with locked instructions on counters that all threads share: a third of the
time.
"""

ENTRY = {**INNER, "cache": True}
"""Options of the entry itself."""

import hashlib
from pathlib import Path

import numpy as np
from numba import njit

import wavegen
from wavegen.compiled.compiled_sources import INNER, SOURCES, cached_on_disk


def test_the_name_tells_the_state_of_every_file_that_is_compiled():
    root = Path(wavegen.__file__).parent
    paths = [*sorted((root / "compiled").rglob("*.py")), *sorted((root / "engines").rglob("*.py"))]
    assert {root / "engines" / "vector" / "tiles.py", root / "compiled" / "masked_affine.py"} <= set(paths)
    users = {path for path in root.rglob("*.py") if "cached_on_disk" in path.read_text(encoding="utf-8")}
    assert users <= set(paths)
    assert SOURCES == hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def test_an_entry_is_kept_under_that_name():
    @cached_on_disk()
    def twice(x, out):
        for i in range(x.size):
            out[i] = 2 * x[i]

    assert twice.py_func.__qualname__.endswith(f"twice-{SOURCES[:16]}")
    x, out = np.arange(5.0), np.zeros(5)
    twice(x, out)
    assert out.tolist() == [0, 2, 4, 6, 8]


@njit(**INNER)
def _arithmetic(x, out):
    out[0] = (x[0] + x[1]) - x[0]
    out[1] = x[1] / x[2]
    total = x.dtype.type(0)
    for i in range(3, x.size):
        total += x[i]
    out[2] = total


def test_sums_are_formed_in_the_order_written_and_a_division_by_zero_is_infinite():
    x = np.array([1e8, 1.0, 0.0] + [1e8, 1.0, -1e8, 1.0] * 8, np.float32)
    out = np.zeros(3, np.float32)
    _arithmetic(x, out)
    expected = np.float32(0)
    for value in x[3:]:
        expected += value
    assert out.tolist() == [0.0, np.inf, expected]

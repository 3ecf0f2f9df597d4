"""What the CPU multiplies fast: the one place that every choice of precision or of vector code asks.

Numba compiles the engines for the CPU that ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` name, and for the
machine's own where they name none. The same holds here, so that ``scripts/as-avx2`` imitates a lesser CPU as
a whole.
"""

import platform
from functools import cache


@cache
def features() -> frozenset[str]:
    """LLVM's names of the instruction sets that compiled code may use, such as ``avx2`` or ``avx512bf16``."""
    from llvmlite import binding  # here, and below: `wavegen --help` need not wait for them
    from numba.core import config

    features = config.CPU_FEATURES  # type: ignore[attr-defined]  # set as numba reads its settings
    if features is None:
        return frozenset(name for name, has in binding.get_host_cpu_features().items() if has)
    return frozenset(name[1:] for name in features.split(",") if name.startswith("+"))


def architecture() -> str:
    """``x86_64``, ``aarch64``, or what else the operating system calls it."""
    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def multiplies_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; others multiply float32 faster, in torch by far."""
    return not features().isdisjoint({"avx512bf16", "amx-bf16", "bf16"})

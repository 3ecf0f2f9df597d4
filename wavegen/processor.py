"""Finds the instruction sets of the CPU; all choices of precision and vector code depend on it.

Numba compiles the engines for the CPU that ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` name, by default for
the machine's own CPU. This module reads the same variables, so that ``scripts/as-avx2`` imitates an older CPU
completely.
"""

import platform
from functools import cache


@cache
def features() -> frozenset[str]:
    """LLVM's names of the instruction sets that compiled code may use, such as ``avx2`` or ``avx512bf16``."""
    from llvmlite import binding  # imported here, because `wavegen --help` does not need them
    from numba.core import config

    features = config.CPU_FEATURES  # type: ignore[attr-defined]  # set as numba reads its settings
    if features is None:
        return frozenset(name for name, has in binding.get_host_cpu_features().items() if has)
    return frozenset(name[1:] for name in features.split(",") if name.startswith("+"))


def architecture() -> str:
    """``x86_64``, ``aarch64``, or another name of the operating system."""
    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def multiplies_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; without it, float32 is faster, in torch by far."""
    return not features().isdisjoint({"avx512bf16", "amx-bf16", "bf16"})

"""Describes the machine, and measures the highest rate of its matrix product."""

import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
import numpy
import psutil
import torch

from wavegen import __version__
from wavegen.benchmark.precisions import of_torch
from wavegen.benchmark.timing import CPU, Measurement, Subject, interleaved
from wavegen.processor import features
from wavegen.workers import available_cores

FEATURES = ("avx2", "avx512f", "avx512bf16", "avx512vnni", "amx-bf16", "amx-int8", "neon", "bf16", "i8mm")
"""CPU features, as named by LLVM, that determine which products are fast."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def describe_machine(threads: int) -> dict[str, Any]:
    """Processor, cores, memory, versions and features of the machine.

    Features are those that the engines are compiled for; with ``scripts/as-avx2`` they are fewer than those
    of the processor. ``torch`` selects its kernels by its own capability.
    """
    return {
        "processor": _processor(),
        "compiled_for": numba.core.config.CPU_NAME  # type: ignore[attr-defined]  # set at run time
        or llvmlite.binding.get_host_cpu_name(),
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": available_cores(),
        "threads": threads,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "features": [name for name in FEATURES if name in features()],
        "system": f"{platform.system()} {platform.machine()}",
        "load_before": list(psutil.getloadavg()),
        "versions": {
            "wavegen": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numba": numba.__version__,
            "llvm": ".".join(map(str, llvmlite.binding.llvm_version_info)),
            "numpy": numpy.__version__,
        },
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def matrix_product(size: int, precision: str, threads: int, device: torch.device = CPU) -> Subject:
    """``torch.mm`` of two square matrices; its items are operations, 2 · size³ per product."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(size, size, generator=generator).to(device, DTYPES[precision]) for _ in range(2))
    out = torch.empty_like(a)

    def run(count: int) -> None:
        for _ in range(count):
            torch.mm(a, b, out=out)

    labels = {"subject": "matrix product", "precision": precision, "matrix_size": size}
    return Subject(labels, run, threads, items=2.0 * size**3, device=device)


def machine_peak(
    sizes: Sequence[int],
    threads: int,
    *,
    repeats: int,
    duration_s: float,
    deadline: float = math.inf,
    device: torch.device = CPU,
) -> dict[str, list[Measurement]]:
    """Operations per second of every size by precision of the device, the fastest size first."""
    precisions = of_torch(device)
    subjects = [
        matrix_product(size, precision, threads, device) for precision in precisions for size in sizes
    ]
    measured = interleaved(
        subjects, repeats=repeats, duration_s=duration_s, title="matrix products", deadline=deadline
    )
    return {
        precision: sorted(
            (m for m in measured if m.labels["precision"] == precision), key=lambda m: m.median, reverse=True
        )
        for precision in precisions
    }


def fastest_product(
    peak: Mapping[str, list[Measurement]], precision: str, device: torch.device = CPU
) -> Subject:
    """The product of the fastest size, to be run again together with the samplers."""
    best = peak[precision][0]
    return matrix_product(best.labels["matrix_size"], precision, best.threads, device)

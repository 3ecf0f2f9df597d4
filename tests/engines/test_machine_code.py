"""The engines' machine code, for this processor and for others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What compiled code may call: Numba's and Python's ways in and out, clearing memory, giving way to another
# thread, and one exponential a sample where the teacher draws.
ALLOWED = ("Py", "_Py", "NRT_", "numba_", "_ZN", "memset", "memcpy", "sched_yield", "expf", "rintf")

# Compiles both engines in both precisions; prints what each entry calls, here and on other targets, as JSON.
SCRIPT = """
import json, re, sys
from wavegen import processor
targets = sys.argv[1:]
if targets:
    processor.architecture = lambda: targets[0]
import llvmlite.binding as llvm
import torch
from wavegen.benchmark.nets import make_context, make_student, make_teacher
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sequential import SequentialSampler
from wavegen.engines.sequential.kernel import run_stage
from wavegen.engines.parallel.kernel import run_student

conditioning = dict(channels=2, hop_samples=4)
shape = dict(kernel_size=2, residual_channels=16, gate_channels=32, skip_channels=16, output_channels=16)
teacher = make_teacher(dict(shape, num_layers=2, num_components=2), conditioning, seed=0)
student = make_student(dict(shape, num_layers=[2]), conditioning, seed=0)
context, lengths = make_context(conditioning, 8), torch.tensor([8])
for precision in ("float32", "bfloat16"):
    SequentialSampler(teacher, precision=precision, num_threads=1).sample(context, lengths)
    ParallelSampler(student, precision=precision, num_threads=1).sample(context, lengths)

def cross_compiled(code, target):
    triple = target + "-unknown-linux-gnu"
    machine = llvm.Target.from_triple(triple).create_target_machine(opt=2)
    module = llvm.parse_assembly(re.sub(r"(?m)^target (triple|datalayout).*$", "", code))
    module.triple, module.data_layout = triple, str(machine.target_data)
    return machine.emit_assembly(module)

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
found = []
for entry in (run_stage, run_student):
    for signature in entry.signatures:
        assemblies = {"here": entry.inspect_asm(signature)}
        for target in targets:
            assemblies[target] = cross_compiled(entry.inspect_llvm(signature), target)
        for target, assembly in assemblies.items():
            calls = re.findall(r"movabsq\\s+\\$([A-Za-z_]\\w*)", assembly)
            calls += re.findall(r"(?m)^\\s*(?:callq?|bl)\\s+([A-Za-z_][\\w.@]*)$", assembly)
            found.append([entry.__name__, target, sorted(set(calls)), assembly.count("fmla")])
print(json.dumps(found))
"""


def machine_code(tmp_path: Path, imitation: str, *targets: str) -> list[list]:
    """Entry, target, names called and fused multiply–adds of aarch64, of every compiled version."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}  # kept code has no assembly to look at
    command = [str(ROOT / "scripts" / imitation), sys.executable, "-c", SCRIPT, *targets]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    entries = [entry for entry, *_ in found]
    assert {entries.count("run_stage"), entries.count("run_student")} == {2 * (1 + len(targets))}
    return found


def arithmetic_calls(found: list[list]) -> list[tuple]:
    """Entry, target and name of every call that is not allowed.

    ``__truncsfbf2`` ended processes that had not got it; ``fmaf`` would be a call for every product.
    """
    assert all("sched_yield" in calls for _, _, calls, _ in found)  # calls are seen where there are some
    return [
        (entry, target, call)
        for entry, target, calls, _ in found
        for call in calls
        if not call.startswith(ALLOWED)
    ]


@pytest.mark.slow
def test_engines_for_avx2_call_no_library_for_arithmetic(tmp_path):
    assert arithmetic_calls(machine_code(tmp_path, "as-avx2")) == []


@pytest.mark.slow
def test_engines_for_the_plainest_x86_and_for_aarch64(tmp_path):
    """Vector operations for the plainest x86-64 are LLVM's own: any target takes them."""
    found = machine_code(tmp_path, "as-sse2", "aarch64")
    assert arithmetic_calls(found) == []
    assert all(fused > 100 for _, target, _, fused in found if target == "aarch64")

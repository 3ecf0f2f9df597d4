import subprocess
import sys
from pathlib import Path

import pytest
from llvmlite import binding

from wavegen import processor

SCRIPTS = Path(__file__).parents[1] / "scripts"
ASK = "from wavegen import processor; print(*sorted(processor.features()), processor.multiplies_bfloat16())"


def _answer(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_without_imitation_the_features_are_the_machines():
    host = binding.get_host_cpu_features()
    wanted = sorted(name for name, has in host.items() if has)
    bfloat16 = any(host.get(name) for name in ("avx512bf16", "amx-bf16", "bf16"))
    clean = ("env", "-u", "NUMBA_CPU_NAME", "-u", "NUMBA_CPU_FEATURES", sys.executable, "-c", ASK)
    assert _answer(*clean) == " ".join([*wanted, str(bfloat16)])


@pytest.mark.parametrize(
    ("script", "answer"), [("as-avx2", "avx2 fma False"), ("as-sse2", "sse2 False")], ids=["avx2", "sse2"]
)
def test_imitated_processors_have_no_more_than_they_claim(script, answer):
    assert _answer(str(SCRIPTS / script), sys.executable, "-c", ASK) == answer


@pytest.mark.parametrize(
    ("script", "capability"), [("as-avx2", "AVX2"), ("as-sse2", "DEFAULT")], ids=["avx2", "sse2"]
)
@pytest.mark.skipif(processor.architecture() != "x86_64", reason="x86-64 is imitated on x86-64 only")
def test_torch_is_held_to_the_imitated_processor_too(script, capability):
    ask = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    assert _answer(str(SCRIPTS / script), sys.executable, "-c", ask) == capability


def test_imitation_without_a_command_says_how_it_is_used():
    done = subprocess.run([str(SCRIPTS / "as-avx2")], capture_output=True, text=True)
    assert done.returncode == 2 and "COMMAND" in done.stderr

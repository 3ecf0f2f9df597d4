"""What `auto` chooses on CPUs that multiply different things."""

import pytest
from torch import nn

from wavegen.engines import precision
from wavegen.engines.parallel import product_rates
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sequential import SequentialSampler


@pytest.mark.parametrize(
    ("features", "gain", "student"),
    [
        ({"avx2", "fma"}, None, "float32"),
        ({"avx512f"}, None, "float32"),
        ({"avx512f", "avx512bf16"}, 1.9, "bfloat16"),
        ({"avx512f", "avx512bf16", "amx-bf16"}, 0.54, "float32"),
        ({"neon", "bf16"}, None, "float32"),  # which the engine does not use
    ],
)
def test_auto_is_what_the_engines_multiply_fastest(monkeypatch, features, gain, student):
    monkeypatch.setattr(precision, "features", lambda: frozenset(features))
    monkeypatch.setattr(product_rates, "bfloat16_gain", lambda: gain)
    assert ParallelSampler(nn.Linear(1, 1), precision="auto").precision == student
    assert SequentialSampler(nn.Linear(1, 1), precision="auto").precision == "bfloat16"
    for asked in ("float32", "bfloat16"):
        assert ParallelSampler(nn.Linear(1, 1), precision=asked).precision == asked
        assert SequentialSampler(nn.Linear(1, 1), precision=asked).precision == asked
        assert precision.explain_precision(asked, "student") == f"{asked}, as configured"
    assert precision.explain_precision("auto", "student") == f"{student}, the fastest here"
    assert precision.explain_precision("auto", "student", "cuda") == "float32"
    assert precision.explain_precision("float32", "teacher", "cuda") == "float32, as configured"

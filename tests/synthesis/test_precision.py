"""What `auto` chooses on CPUs that multiply different things."""

import pytest

from wavegen.synthesis import precision
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sequential import SequentialSampler


@pytest.mark.parametrize(
    ("features", "student"),
    [
        ({"avx2", "fma"}, "float32"),
        ({"avx512f"}, "float32"),
        ({"avx512f", "avx512bf16"}, "bfloat16"),
        ({"neon", "bf16"}, "float32"),  # which the engine does not use
    ],
)
def test_auto_is_what_the_engines_multiply_fastest(monkeypatch, features, student):
    monkeypatch.setattr(precision, "features", lambda: frozenset(features))
    assert ParallelSampler(None, precision="auto").precision == student
    assert SequentialSampler(None, precision="auto").precision == "bfloat16"
    for asked in ("float32", "bfloat16"):
        assert ParallelSampler(None, precision=asked).precision == asked
        assert SequentialSampler(None, precision=asked).precision == asked
        assert precision.explain_precision(asked, "student") == f"{asked}, as asked"
    assert precision.explain_precision("auto", "student") == f"{student}, the fastest here"

"""How fast bfloat16 is on this CPU, in units of float32."""

from wavegen.engines.parallel.product_rates import bfloat16_gain
from wavegen.engines.vector.vector_code import HAS_BFLOAT16


def test_products_without_an_instruction_are_slower_in_bfloat16():
    # Without it a pair takes two multiply–adds as in float32, and the widening of four numbers beside them.
    # With it two products take one instruction; no CPU is known to do half or twice as many of them as of
    # float32's: far outside something else was measured.
    gain = bfloat16_gain()
    assert 0.2 < gain < (4 if HAS_BFLOAT16 else 1)


def test_it_is_measured_once():
    assert bfloat16_gain() == bfloat16_gain()

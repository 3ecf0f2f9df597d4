"""Which precision an engine multiplies fastest in on this machine: what ``precision="auto"`` means."""

from wavegen.processor import features

AUTO = "auto"
PRECISIONS = ("float32", "bfloat16")
"""What the engines' matrix products may multiply."""
CHOICES = (AUTO, *PRECISIONS)
"""What a sampler may be asked for."""

_WORTH_ROUNDING = 1.2
# Times as many products in bfloat16 as in float32: less is lost in rounding what is multiplied. CPUs with the
# instruction do either about twice as many or, with matrix tiles beside it (AMX), about half.


def fastest_precision(speaker: str) -> str:
    """``float32`` or ``bfloat16``, whichever the engine of a "teacher" or a "student" is faster in here."""
    if speaker == "teacher":
        # Reading the weights is what takes time, and half as many bytes are read faster on every x86-64 CPU
        # measured; with AVX2 only, 23,200 samples a second against 19,700 in float32.
        return "bfloat16"
    if not student_multiplies_bfloat16():
        return "float32"
    # Compiled at first use; `wavegen --help` need not wait for it.
    from wavegen.engines.parallel.product_rates import bfloat16_gain

    return "bfloat16" if bfloat16_gain() > _WORTH_ROUNDING else "float32"


def student_multiplies_bfloat16() -> bool:
    """Whether the CPU has the instruction that the student's products are made of, and need not widen."""
    return "avx512bf16" in features()


def settled_precision(precision: str, speaker: str) -> str:
    """The fastest one for ``auto``, any other as it is."""
    return fastest_precision(speaker) if precision == AUTO else precision


def explain_precision(precision: str, speaker: str) -> str:
    """What is multiplied and why, in few words: "bfloat16, the fastest here"."""
    reason = "the fastest here" if precision == AUTO else "as asked"
    return f"{settled_precision(precision, speaker)}, {reason}"

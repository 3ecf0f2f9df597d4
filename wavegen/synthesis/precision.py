"""Which precision an engine multiplies fastest in on this machine: what ``precision="auto"`` means."""

from wavegen.processor import features

AUTO = "auto"
PRECISIONS = ("float32", "bfloat16")
"""What the engines' matrix products may multiply."""
CHOICES = (AUTO, *PRECISIONS)
"""What a sampler may be asked for."""


def fastest_precision(speaker: str) -> str:
    """``float32`` or ``bfloat16``, whichever the engine of a "teacher" or a "student" is faster in here."""
    if speaker == "teacher":
        # Reading the weights is what takes time, and half as many bytes are read faster on every x86-64 CPU
        # measured; with AVX2 only, 23,200 samples a second against 19,700 in float32.
        return "bfloat16"
    # The instruction that the student's products are made of; other CPUs have to widen every number first.
    return "bfloat16" if "avx512bf16" in features() else "float32"


def settled_precision(precision: str, speaker: str) -> str:
    """The fastest one for ``auto``, any other as it is."""
    return fastest_precision(speaker) if precision == AUTO else precision


def explain_precision(precision: str, speaker: str) -> str:
    """What is multiplied and why, in few words: "bfloat16, the fastest here"."""
    reason = "the fastest here" if precision == AUTO else "as asked"
    return f"{settled_precision(precision, speaker)}, {reason}"

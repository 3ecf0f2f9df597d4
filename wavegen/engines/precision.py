"""Finds the fastest precision of an engine on this CPU, for ``precision="auto"``."""

from wavegen.processor import features

AUTO = "auto"
PRECISIONS = ("float32", "bfloat16")
"""Precisions of the engines' matrix products."""
CHOICES = (AUTO, *PRECISIONS)
"""Precisions that a sampler accepts."""

_WORTH_ROUNDING = 1.2
# Minimum ratio of the bfloat16 and float32 product rates: below it, the cost of rounding outweighs the gain.
# CPUs with the instruction have a ratio of about 2 or, if they also have matrix tiles (AMX), about 0.5.


def fastest_precision(speaker: str) -> str:
    """The faster one of ``float32`` and ``bfloat16`` for a "teacher" or a "student" on this CPU."""
    if speaker == "teacher":
        # Reading the weights takes most of the time, so bfloat16 was faster on every x86-64 CPU that was
        # measured; with AVX2 only, 23,200 samples per second instead of 19,700 in float32.
        return "bfloat16"
    if not student_multiplies_bfloat16():
        return "float32"
    # Compiled at import; `wavegen --help` does not need it.
    from wavegen.engines.parallel.product_rates import bfloat16_gain

    return "bfloat16" if bfloat16_gain() > _WORTH_ROUNDING else "float32"


def student_multiplies_bfloat16() -> bool:
    """Whether the CPU has the bfloat16 instruction of the student's products."""
    return "avx512bf16" in features()


def settled_precision(precision: str, speaker: str) -> str:
    """The fastest precision for ``auto``; any other one unchanged."""
    return fastest_precision(speaker) if precision == AUTO else precision


def explain_precision(precision: str, speaker: str, device: str = "cpu") -> str:
    """The precision and the reason for it: "bfloat16, the fastest here".

    ``device`` is the kind of device on which the model lies. Only a teacher has an engine there.
    """
    if device != "cpu" and speaker != "teacher":
        return "float32"
    if speaker == "source_filter":
        return "float32"  # the only precision of its engine
    reason = "the fastest here" if precision == AUTO else "as configured"
    return f"{settled_precision(precision, speaker)}, {reason}"

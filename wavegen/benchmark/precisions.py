"""The precisions that are measured on this CPU, and the reasons for those that are not.

On a CPU without bfloat16 products, torch multiplies such matrices in a reference loop, a thousand times
slower
than in float32: one product of the machine section would take more than ten minutes. These are not measured.
The teacher's engine converts its weights to float32 itself and is fast on every CPU.
"""

import torch

from wavegen.engines.precision import PRECISIONS, student_multiplies_bfloat16
from wavegen.processor import multiplies_bfloat16

NO_PRODUCTS = "bfloat16: no hardware products, torch would use a reference loop"
NO_ENGINE = "bfloat16: the engine has no products of it on this CPU"


def of_torch(device: torch.device | None = None) -> tuple[str, ...]:
    """Precisions of torch's products and of training on the device; None is the CPU."""
    if device is None or device.type == "cpu":
        has_products = multiplies_bfloat16()
    else:
        has_products = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    return PRECISIONS if has_products else PRECISIONS[:1]


def of_student() -> tuple[str, ...]:
    """Precisions of the student's engine."""
    return PRECISIONS if student_multiplies_bfloat16() else PRECISIONS[:1]


def left_out() -> dict[str, list[str]]:
    """By entry of the results: what is not measured on this CPU, and why."""
    torch_lacks = [] if multiplies_bfloat16() else [NO_PRODUCTS]
    lacks = {"peak": torch_lacks, "training": torch_lacks}
    lacks["rates"] = [f"student, one pass of conv1d, {reason}" for reason in torch_lacks]
    if "bfloat16" not in of_student():
        lacks["rates"] += [f"student, engine, {NO_ENGINE}"]
        lacks["first_audio"] = [f"student, {NO_ENGINE}"]
    return {entry: reasons for entry, reasons in lacks.items() if reasons}

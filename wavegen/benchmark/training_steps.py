"""The training steps that are timed: of teacher and student, in plain float32 and in wavegen's forms."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from wavegen.benchmark.nets import make_context, make_student, make_teacher
from wavegen.benchmark.plain import PlainWaveNet
from wavegen.benchmark.precisions import of_torch
from wavegen.benchmark.timing import CPU, Subject
from wavegen.linguistics.context import SpeechContext
from wavegen.nets.wavenet import WaveNet
from wavegen.objectives.distillation import DistillationStep
from wavegen.objectives.draws import StratifiedDraws
from wavegen.objectives.likelihood import negative_log_likelihood
from wavegen.objectives.monte_carlo_kl import MonteCarloKL
from wavegen.objectives.power import PowerLoss

FORMS = {
    "plain": (PlainWaveNet, "float32"),
    "wavegen": (WaveNet, "float32"),
    "wavegen, bfloat16": (WaveNet, "bfloat16"),
}


def forms_here(
    forms: Mapping[str, tuple[Any, str]] = FORMS, device: torch.device = CPU
) -> dict[str, tuple[Any, str]]:
    """The forms whose precision the device multiplies: a class of WaveNet and the precision of each."""
    here = of_torch(device)
    return {form: (net, precision) for form, (net, precision) in forms.items() if precision in here}


def training_subjects(config: Mapping[str, Any], threads: int, device: torch.device = CPU) -> list[Subject]:
    """Steps of forward, backward and Adam's update on segments of noise; items are samples."""
    hop_samples = config["conditioning"]["hop_samples"]
    settings = config["training"]
    frames = max(1, round(settings["segment_s"] * config["sample_rate"] / hop_samples))
    batch_size, num_samples = settings["batch_size"], frames * hop_samples
    context = make_context(config["conditioning"], num_samples, batch_size).to(device)
    waveform = 0.1 * torch.randn(batch_size, num_samples, generator=torch.Generator().manual_seed(0))
    waveform = (waveform.mul(2**15).round().clamp(-(2**15), 2**15 - 1) / 2**15).to(device)
    subjects = []
    for form, (wavenet, precision) in forms_here(device=device).items():
        for step, loss in (
            ("teacher step", teacher_loss(config, wavenet, waveform, context)),
            ("distillation step", distillation_loss(config, wavenet, waveform, context)),
        ):
            labels = {"subject": step, "form": form, "precision": precision, "batch_size": batch_size}
            run, items = _steps(*loss, precision, device), batch_size * num_samples
            subjects.append(Subject(labels, run, threads, items=items, device=device))
    return subjects


Loss = Callable[[], Tensor]


def teacher_loss(
    config: Mapping[str, Any], wavenet: type[WaveNet], waveform: Tensor, context: SpeechContext
) -> tuple[nn.Module, Loss]:
    """The teacher and its maximum-likelihood loss."""
    teacher = make_teacher(config["teacher"], config["conditioning"], seed=config["seed"], wavenet=wavenet)
    teacher = teacher.to(waveform.device)
    mask = torch.ones_like(waveform, dtype=torch.bool)
    return teacher.train(), lambda: negative_log_likelihood(teacher, waveform, context, mask)


def distillation_loss(
    config: Mapping[str, Any], wavenet: type[WaveNet], waveform: Tensor, context: SpeechContext
) -> tuple[nn.Module, Loss]:
    """The student and its loss as in ``objective=logistic``: KL to the frozen teacher and power loss."""
    teacher = make_teacher(config["teacher"], config["conditioning"], seed=config["seed"], wavenet=wavenet)
    teacher = teacher.to(waveform.device)
    teacher.requires_grad_(False)
    student = make_student(config["student"], config["conditioning"], seed=config["seed"], wavenet=wavenet)
    student = student.to(waveform.device)
    divergence = MonteCarloKL(draws=StratifiedDraws(num_draws=8))
    power = PowerLoss(
        sample_rate=config["sample_rate"],
        resolutions_ms=[(40, 10), (80, 20), (16, 5)],
        low_band_hz=3000,
        low_band_weight=2.0,
        log_weight=0.5,
    )
    power.to(waveform.device).fit_to_data(list(waveform))
    mask = torch.ones_like(waveform, dtype=torch.bool)

    def loss() -> Tensor:
        step = DistillationStep(
            teacher=teacher, student=student, recording=waveform, context=context, mask=mask
        )
        return divergence(step).value + 20 * power(step).value

    return student.train(), loss


def _steps(model: nn.Module, loss: Loss, precision: str, device: torch.device) -> Callable[[int], None]:
    optimiser = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=1e-4)

    def run(count: int) -> None:
        for _ in range(count):
            optimiser.zero_grad()
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
                value = loss()
            value.backward()
            optimiser.step()

    return run

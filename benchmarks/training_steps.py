"""Measures training steps in plain form and in wavegen's forms: speed and gradient errors.

    python benchmarks/training_steps.py [--threads 2] [--repeats 5] [--segment-s 0.3333] [--compile]

A step is forward, backward and Adam's update. The distillation step passes the student's sample forwards and
backwards through a frozen teacher. The plain form is one ``conv1d`` after the other in float32. All forms are
interleaved, so that other load on the machine affects all of them; compare ratios to the plain form's median.
Shapes are those of ``configs/benchmark.yaml``. Gradient errors are relative to the plain form in float64, on
a short segment.
"""

import argparse
import json
from pathlib import Path

import torch
from omegaconf import OmegaConf

from wavegen.benchmark.nets import make_context, make_student, make_teacher
from wavegen.benchmark.plain import PlainWaveNet
from wavegen.benchmark.precisions import left_out
from wavegen.benchmark.timing import interleaved
from wavegen.benchmark.training_steps import FORMS, forms_here, training_subjects
from wavegen.files import write_bytes
from wavegen.nets.wavenet import WaveNet
from wavegen.resources import resource_directory
from wavegen.runtime import prepare_process
from wavegen.training.net_resources import arrange_nets

HERE = Path(__file__).parent
COMPILED = "wavegen, bfloat16, compiled"


def compiled(**arguments: object) -> WaveNet:
    net = WaveNet(**arguments)
    arrange_nets([net], compile=True)
    return net


def gradient_errors(config: dict, num_frames: int = 8) -> dict[str, float]:
    """``|g − exact| / |exact|`` of every form, for the gradient of a divergence by the student's weights."""
    samples = num_frames * config["conditioning"]["hop_samples"]
    context = make_context(config["conditioning"], samples)
    noise, uniforms = torch.rand(2, 1, samples, generator=torch.Generator().manual_seed(1)).clamp(
        0.001, 0.999
    )

    def gradient(net: type, precision: str) -> torch.Tensor:
        dtype = torch.float64 if precision == "float64" else torch.float32
        shape = {"conditioning": config["conditioning"], "seed": config["seed"], "wavenet": net}
        teacher = make_teacher(config["teacher"], **shape).to(dtype).requires_grad_(False)
        student = make_student(config["student"], **shape).to(dtype)
        told = context.to(dtype)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            spoken, law = student.rsample_with_conditionals(noise.to(dtype).logit(), told)
            density = teacher.conditionals(spoken, told).continuous
            divergence = -density.log_prob(law.icdf(uniforms.to(dtype))) - law.entropy()
        divergence.mean().backward()
        return torch.cat([p.grad.double().flatten() for p in student.parameters() if p.grad is not None])

    exact = gradient(PlainWaveNet, "float64")
    forms = forms_here({"plain, bfloat16": (PlainWaveNet, "bfloat16"), **FORMS})
    return {
        form: ((gradient(net, precision) - exact).norm() / exact.norm()).item()
        for form, (net, precision) in forms.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5, help="timed calls of each form, in turns")
    parser.add_argument("--segment-s", type=float, default=None, help="seconds of each of two segments")
    parser.add_argument(
        "--layers",
        type=int,
        default=None,
        help="layers of the teacher and of each flow; few: a quick test",
    )
    parser.add_argument("--compile", action="store_true", help="also with torch.compile; minutes on a CPU")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "training_steps.json")
    arguments = parser.parse_args()
    prepare_process()
    config = OmegaConf.to_container(OmegaConf.load(resource_directory("configs") / "benchmark.yaml"))
    if arguments.segment_s is not None:
        config["training"]["segment_s"] = arguments.segment_s
    if arguments.layers is not None:
        config["teacher"]["num_layers"] = arguments.layers
        config["student"]["num_layers"] = [arguments.layers] * 4
    if arguments.compile:
        FORMS[COMPILED] = (compiled, "bfloat16")
    subjects = training_subjects(config, arguments.threads)
    FORMS.pop(COMPILED, None)
    measured = interleaved(subjects, repeats=arguments.repeats, duration_s=0.4, title="training steps")
    plain = {m.labels["subject"]: m.median for m in measured if m.labels["form"] == "plain"}
    errors = gradient_errors(config)
    print(f"{'step':20} {'form':30} {'samples/s':>10} {'× plain':>8} {'lowest':>8} {'highest':>8}")
    for m in sorted(measured, key=lambda m: m.labels["subject"]):
        step, form = m.labels["subject"], m.labels["form"]
        print(
            f"{step:20} {form:30} {m.median:10.0f} {m.median / plain[step]:8.2f} "
            f"{min(m.rates):8.0f} {max(m.rates):8.0f}"
        )
    for form, error in errors.items():
        print(f"gradient error of a distillation step, {form:20} {error:.1e}")
    for reason in left_out().get("training", ()):
        print(f"not measured: {reason}")
    record = {"config": config, "steps": [m.record() for m in measured], "gradient_errors": errors}
    record["left_out"] = left_out().get("training", [])
    write_bytes(arguments.output, (json.dumps(record, indent=1) + "\n").encode())
    print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()

"""Compares the speed of masked flows and of Glow with zuko, nflows and normflows, on a CPU, in one run.

    .venv/bin/python benchmarks/flows_against_peers.py [--repeats 15] [--threads 2] [--quick]

The libraries are interleaved in every repetition, so that other load on the machine affects all of them.
Medians and their ratios are reported. Sizes are equal; the peers are used by their documented interfaces:

- MAF: 5 layers, 64 features, batch 512, ReLU nets of two hidden layers, the order of the features reversed
  from layer to layer, on data with correlated features. Scales are bounded by each library's own function.
  Sampling is compared with the weights after the training steps; ``inverse`` is ``rsample``, which takes the
  passes of the layers' own inverse.
- Glow: 3 levels of 8 steps, affine couplings, 1×1 convolutions as P L (U + diag s), standard normal priors,
  16 images 3×32×32. A step of wavegen has an actnorm, a convolution and a coupling, like a ``GlowBlock``.

All are trained by the same optimiser, Adam (``fused=True``). The script prints a table and writes
``benchmarks/results/flows_against_peers.json`` and ``.png``.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from wavegen.benchmark.timing import Subject, interleaved
from wavegen.flows import Affine, Autoregressive, BoundedLogScale, Compose, Flow, StandardNormal
from wavegen.models.flows.glow import glow, lu_1x1
from wavegen.models.flows.priors import standard_prior
from wavegen.nets.made import MADE
from wavegen.runtime import prepare_process

FEATURES, BATCH, NUM_FLOWS = 64, 512, 5
IMAGE_SHAPE, NUM_IMAGES, NUM_SCALES, NUM_STEPS = (3, 32, 32), 16, 3, 8

Job = Callable[[], object]


def in_turns(jobs: dict[str, Job], repeats: int) -> dict[str, list[float]]:
    """Milliseconds of every repetition of every job; each round runs every job once."""
    subjects = [
        Subject({"job": name}, lambda size, job=job: job(), torch.get_num_threads(), largest=1)
        for name, job in jobs.items()
    ]
    measured = interleaved(subjects, repeats=repeats, duration_s=0.0, title="peers")
    return {m.labels["job"]: [1e3 / rate for rate in m.rates] for m in measured}


def training_step(model: nn.Module, loss: Callable[[], Tensor]) -> Job:
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()

    return step


def without_gradients(job: Job) -> Job:
    return torch.no_grad()(job)


def masked_flows(hidden: list[int]) -> dict[str, nn.Module]:
    import nflows.distributions
    import nflows.flows
    import nflows.transforms
    import zuko

    layers = []
    for index in range(NUM_FLOWS):
        order = range(FEATURES) if index % 2 == 0 else reversed(range(FEATURES))
        layers.append(
            Autoregressive(
                transform=Affine(log_scale_activation=BoundedLogScale()),
                conditioner=MADE(FEATURES, 2, hidden, order=list(order), activation=nn.ReLU()),
            )
        )
    theirs = []
    for _ in range(NUM_FLOWS):
        theirs.append(nflows.transforms.ReversePermutation(features=FEATURES))
        theirs.append(
            nflows.transforms.MaskedAffineAutoregressiveTransform(
                features=FEATURES,
                hidden_features=hidden[0],
                num_blocks=len(hidden) - 1,
                use_residual_blocks=False,
                activation=nn.functional.relu,
            )
        )
    return {
        "wavegen": Flow(bijection=Compose(*layers), base=StandardNormal([FEATURES])),
        "zuko": zuko.flows.MAF(FEATURES, transforms=NUM_FLOWS, hidden_features=hidden),
        "nflows": nflows.flows.Flow(
            nflows.transforms.CompositeTransform(theirs), nflows.distributions.StandardNormal([FEATURES])
        ),
    }


def measure_masked_flows(hidden: list[int], repeats: int) -> dict:
    models = masked_flows(hidden)
    mixing = torch.randn(FEATURES, FEATURES) / FEATURES**0.5
    x = torch.randn(BATCH, FEATURES) @ mixing
    ours, zukos, nflowss = models["wavegen"], models["zuko"], models["nflows"]
    log_prob = {
        "wavegen": lambda: ours().log_prob(x),
        "zuko": lambda: zukos().log_prob(x),
        "nflows": lambda: nflowss.log_prob(x),
    }
    # the default argument binds each density: functions made in a loop share the loop's variable
    step = {
        name: training_step(model, lambda density=log_prob[name]: -density().mean())
        for name, model in models.items()
    }
    results = {"training step": in_turns(step, repeats)}
    results["log_prob"] = in_turns({name: without_gradients(job) for name, job in log_prob.items()}, repeats)
    sampling = {
        "wavegen": lambda: ours().sample((BATCH,)),
        "wavegen, inverse": without_gradients(lambda: ours().rsample((BATCH,))),
        "zuko": without_gradients(lambda: zukos().sample((BATCH,))),
        "nflows": without_gradients(lambda: nflowss.sample(BATCH)),
    }
    results["sampling"] = in_turns(sampling, max(repeats // 2, 1))
    return report("MAF, hidden " + " × ".join(map(str, hidden)), models, results)


def normflows_glow(hidden_channels: int, num_steps: int) -> nn.Module:
    """The example of normflows' documentation (Glow on CIFAR-10), without its classes."""
    import normflows

    channels, height, width = IMAGE_SHAPE
    bases, merges, flows = [], [], []
    for level in range(NUM_SCALES):
        blocks = [
            normflows.flows.GlowBlock(channels * 2 ** (NUM_SCALES + 1 - level), hidden_channels)
            for _ in range(num_steps)
        ]
        flows.append([*blocks, normflows.flows.Squeeze()])
        left = NUM_SCALES - level
        if level > 0:
            merges.append(normflows.flows.Merge())
            shape = (channels * 2**left, height // 2**left, width // 2**left)
        else:
            shape = (channels * 2 ** (left + 1), height // 2**left, width // 2**left)
        bases.append(normflows.distributions.DiagGaussian(shape, trainable=False))
    return normflows.MultiscaleFlow(bases, flows, merges, class_cond=False)


def measure_glow(hidden_channels: int, num_steps: int, repeats: int) -> dict:
    ours = glow(
        image_shape=IMAGE_SHAPE,
        num_scales=NUM_SCALES,
        num_steps=num_steps,
        hidden_channels=hidden_channels,
        permutation=lu_1x1,
        prior=standard_prior,
    )
    theirs = normflows_glow(hidden_channels, num_steps)
    models = {"wavegen": ours, "normflows": theirs}
    levels = torch.randint(256, (NUM_IMAGES, *IMAGE_SHAPE)).float()
    step = {
        "wavegen": training_step(ours, lambda: -ours().log_prob(levels).mean()),
        # normflows needs dequantised images; wavegen's first layer dequantises
        "normflows": training_step(
            theirs, lambda: theirs.forward_kld((levels + torch.rand_like(levels)) / 256)
        ),
    }
    results = {"training step": in_turns(step, repeats)}
    for model in models.values():
        model.eval()
    sampling = {
        "wavegen": lambda: ours().sample((NUM_IMAGES,)),
        "normflows": without_gradients(lambda: theirs.sample(NUM_IMAGES)),
    }
    results["sampling"] = in_turns(sampling, repeats)
    return report(f"Glow, {hidden_channels} hidden channels", models, results)


def report(title: str, models: dict[str, nn.Module], results: dict[str, dict[str, list[float]]]) -> dict:
    """Print the medians of one model and return them with its sizes."""
    sizes = {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}
    print(f"\n{title}; parameters: " + ", ".join(f"{name} {size:,}" for name, size in sizes.items()))
    rows = []
    for job, milliseconds in results.items():
        medians = {name: statistics.median(values) for name, values in milliseconds.items()}
        fastest = min(value for name, value in medians.items() if not name.startswith("wavegen"))
        ratio = fastest / medians["wavegen"]
        cells = "  ".join(f"{name} {value:8.2f}" for name, value in medians.items())
        print(f"  {job:>14}  {cells}   ms; the faster peer takes {ratio:.2f} times as long as wavegen")
        rows.append({"job": job, "median_ms": medians, "peer_over_ours": ratio, "all_ms": milliseconds})
    return {"model": title, "parameters": sizes, "jobs": rows}


def draw(reports: list[dict], path: Path) -> None:
    """Bars of the medians in units of wavegen's, one panel per model."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    size = (5 * len(reports), 3.5)
    figure, panels = plt.subplots(
        1, len(reports), figsize=size, layout="constrained", sharey=True, squeeze=False
    )
    panels = panels[0]
    for panel, entry in zip(panels, reports, strict=True):
        names = list(dict.fromkeys(name for job in entry["jobs"] for name in job["median_ms"]))
        for offset, name in enumerate(names):
            bars = [(i, job) for i, job in enumerate(entry["jobs"]) if name in job["median_ms"]]
            heights = [job["median_ms"][name] / job["median_ms"]["wavegen"] for _, job in bars]
            left = [i + 0.8 * (offset / len(names) - 0.5) for i, _ in bars]
            panel.bar(left, heights, 0.8 / len(names), align="edge", label=name)
        panel.set_xticks(range(len(entry["jobs"])), [job["job"] for job in entry["jobs"]])
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter("{x:g}")
        panel.axhline(1, color="0.5", linewidth=0.8)
        panel.set_title(entry["model"])
        panel.legend()
    panels[0].set_ylabel("median time in units of wavegen's")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=15, help="repetitions of each job")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--quick", action="store_true", help="small nets, one repetition, to test the script")
    arguments = parser.parse_args()
    prepare_process()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    if arguments.quick:
        reports = [measure_masked_flows([64, 64], 1), measure_glow(8, 1, 1)]
    else:
        reports = [measure_masked_flows([width, width], arguments.repeats) for width in (128, 256)]
        reports.append(measure_glow(128, NUM_STEPS, arguments.repeats))
    arguments.output.mkdir(parents=True, exist_ok=True)
    summary = {"threads": arguments.threads, "torch": torch.__version__, "reports": reports}
    (arguments.output / "flows_against_peers.json").write_text(json.dumps(summary, indent=1) + "\n")
    draw(reports, arguments.output / "flows_against_peers.png")


if __name__ == "__main__":
    main()

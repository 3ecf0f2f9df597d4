"""Reads the curves of a training from the TensorBoard logs of a run."""

import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Curves about the training process, not about the quality of the model.
UNINTERESTING = ("epoch", "lr-", "hp_metric", "step")


@dataclass(frozen=True)
class Curve:
    """``values`` over ``steps``; ``source`` is the prefix of the log's tag: train, dev, spoken."""

    source: str
    steps: np.ndarray
    values: np.ndarray

    def running_mean(self) -> np.ndarray:
        """Exponential running mean over 1/50 of the curve, started from its first value."""
        weight = min(1.0, 50 / len(self.values))
        smooth, mean = np.empty(len(self.values)), self.values[0]
        for index, value in enumerate(self.values):
            mean += weight * (value - mean)
            smooth[index] = mean
        return smooth


def read_curves(run_directory: str | Path) -> dict[str, list[Curve]]:
    """Panels by title ("teacher: bits_per_sample"), each with its curves; {} if the run has no log.

    They are read from TensorBoard event files in ``tensorboard/STAGE/``. If a run was resumed, later
    values of the same step replace earlier ones.
    """
    run_directory = Path(run_directory)
    points: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for stage, tag, step, value in _from_tensorboard(run_directory):
        if math.isfinite(value) and not tag.startswith(UNINTERESTING):
            points[stage, tag][step] = value
    panels: dict[str, list[Curve]] = defaultdict(list)
    # Stages and quantities in the order in which they were logged; those of spoken samples last.
    stages = list(dict.fromkeys(stage for stage, _ in points))
    for stage, tag in sorted(points, key=lambda key: (stages.index(key[0]), key[1].startswith("spoken"))):
        values = points[stage, tag]
        source, _, name = tag.rpartition("/")
        steps = np.array(sorted(values))
        curve = Curve(source or "train", steps, np.array([values[step] for step in steps]))
        panels[f"{stage}: {name.replace('_', ' ')}" if stage else name.replace("_", " ")].append(curve)
    return dict(panels)


def _from_tensorboard(run_directory: Path) -> list[tuple[str, str, int, float]]:
    """Stage, tag, step and value of every scalar, in the order in which they were logged."""
    root = run_directory / "tensorboard"
    files = sorted(root.rglob("events.out.tfevents.*"), key=lambda path: path.name)
    if not files:
        return []
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = []
    for path in files:
        relative = path.parent.relative_to(root).parts
        accumulator = EventAccumulator(str(path), size_guidance={"scalars": 0, "audio": 1, "images": 1})
        accumulator.Reload()
        for tag in accumulator.Tags()["scalars"]:
            for event in accumulator.Scalars(tag):
                stage = relative[0] if relative else ""
                found.append((event.wall_time, stage, tag, event.step, event.value))
    # Files of one second are not in order by name: their names end in numbers without leading zeros.
    found.sort(key=lambda entry: entry[0])
    return [entry[1:] for entry in found]

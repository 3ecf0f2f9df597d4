"""Fit a flow to images or to the rows of a table, and measure it on held-out data.

By default a small Glow on scikit-learn's digits. The recipe writes the weights, metrics.json (bits per
dimension of images, nats of rows), figures/*.png (samples, temperatures, interpolations, attributes,
reconstructions) and report.html, which opens in any browser and needs no network. If it is started again with
the same folder, it continues from the last checkpoint.

Examples:
  wavegen flow
  wavegen flow flow_model=flow_plus_plus dequantization=variational run=runs/digits-flow-plus-plus
  wavegen flow experiment=mnist_glow data.path=FILE
  wavegen flow resume=runs/flow-digits-glow
"""

from pathlib import Path

from omegaconf import DictConfig

from wavegen.evaluation.density.evaluate import evaluate_density, summary
from wavegen.runs.folder import open_run, resume_config
from wavegen.training.density_check import check_density
from wavegen.training.density_stage import fill_in_event, load_data, new_density, train_density
from wavegen.training.processes import end_other_processes
from wavegen.training.settings import check_trainings


def main(config: DictConfig) -> None:
    config = resume_config(config)
    check_trainings(config)
    data, context = load_data(config)
    fill_in_event(config, data, context)
    flow = new_density(config)
    check_density(flow, data, context)
    run = open_run(config)
    flow = train_density(config, flow, data, context, run)
    end_other_processes()
    metrics = evaluate_density(flow, data, context, run, seed=config.seed, **config.evaluation)
    print(summary(metrics, Path(run)))

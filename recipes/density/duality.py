"""Fit one stack of flows to densities by forward and by reverse KL: one covers modes, the other seeks modes.

The two objectives have opposite requirements. Forward KL (maximum likelihood) needs samples of the target and
densities of the model: the stack is used as MAF, whose density is one pass. Reverse KL (variational
inference)
needs the unnormalised density of the target and samples of the model with their densities: the same stack is
used as IAF, whose generation is one pass. If the model cannot equal the target, the first covers all modes
and the second only some. The targets' normalisers and samples are known, so both divergences of both fits are
measured.

Examples:
  wavegen duality
  wavegen duality optimisation.max_steps=5000
"""

from omegaconf import DictConfig

from wavegen.evaluation.plane import evaluate_duality
from wavegen.runs.folder import open_run, resume_config
from wavegen.training.plane import train_both_ways
from wavegen.training.settings import check_trainings


def main(config: DictConfig) -> None:
    config = resume_config(config)
    check_trainings(config)
    run = open_run(config)
    fits = train_both_ways(config, run)
    print(evaluate_duality(fits, run, **config.evaluation))
    print(f"The figure is {run / 'duality.png'}.")

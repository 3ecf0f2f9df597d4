"""Fit one stack of flows to densities by forward and by reverse KL; see which covers and which seeks modes.

The two objectives need opposite things. Forward KL (maximum likelihood) knows the target by samples and asks
the model for densities: the stack is read as MAF, whose density is one pass. Reverse KL (variational
inference) knows the target by its unnormalised density and asks the model for samples with their densities:
the same stack is read as IAF, whose generation is one pass. Where the model cannot be the target, the
first spreads over all of its modes, the second keeps to some. The targets' normalisers and samples are known,
so that both divergences of both fits are measured.

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

"""Fit every flow to every data set of the plane, and draw all densities in one figure.

The data sets are moons, rings, a pinwheel and a checkerboard. The models are planar, radial and Sylvester
flows, MAF, IAF, RealNVP and a neural spline flow, all fitted by maximum likelihood. The data's densities are
known, so the best possible log-likelihood is shown beside the models'. Fits that the run's folder already
contains are not repeated.

Examples:
  wavegen gallery
  wavegen gallery models.radial=null optimisation.max_steps=5000
"""

from omegaconf import DictConfig

from wavegen.evaluation.plane import evaluate_gallery
from wavegen.runs.folder import open_run, resume_config
from wavegen.training.plane import train_gallery
from wavegen.training.settings import check_trainings


def main(config: DictConfig) -> None:
    config = resume_config(config)
    check_trainings(config)
    run = open_run(config)
    fits = train_gallery(config, run)
    print(evaluate_gallery(fits, run, **config.evaluation))
    print(f"The figure is {run / 'gallery.png'}.")

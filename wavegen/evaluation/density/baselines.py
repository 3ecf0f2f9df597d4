"""Costs of test events under simple densities, to compare a model's cost with."""

import math

import torch
from torch import Tensor

from wavegen.data.images.image_set import ImageSet
from wavegen.data.tables import TableSet

MAX_TRAINING_IMAGES = 20000  # more images do not improve the histograms


def image_baselines(data: ImageSet, x: Tensor) -> dict[str, float]:
    """Bits per dimension of ``x`` with equally probable levels, and with independent values.

    For independent values, each of the C · H · W positions has a histogram of training images, with half a
    count added to every level (the Krichevsky–Trofimov estimate).
    """
    train, x = (crop(part, data.padding).flatten(1).long() for part in (data.train[:MAX_TRAINING_IMAGES], x))
    num_positions, levels = train.shape[1], data.num_levels
    offsets = levels * torch.arange(num_positions)
    counts = torch.zeros(num_positions * levels, dtype=torch.float64)
    for part in train.split(2000):
        counts += torch.bincount((part + offsets).flatten(), minlength=num_positions * levels)
    log2_p = torch.log2((counts + 0.5) / (len(train) + 0.5 * levels))
    independent = -log2_p[x + offsets].mean()
    return {"equal_levels": math.log2(levels), "independent_pixels": float(independent)}


def crop(images: Tensor, padding: int) -> Tensor:
    """The images without padding."""
    return images[..., padding:-padding, padding:-padding] if padding else images


def table_baselines(data: TableSet, x: Tensor) -> dict[str, float]:
    """Nats per row under a normal distribution with the training part's moments, without and with
    correlations."""
    train, x = data.train.double(), x.double()
    mean, covariance = train.mean(0), torch.atleast_2d(train.T.cov(correction=0))
    independent = torch.distributions.Normal(mean, covariance.diagonal().sqrt()).log_prob(x).sum(-1)
    values = {"independent_normals": float(-independent.mean())}
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if not failed and data.num_features > 1:
        normal = torch.distributions.MultivariateNormal(mean, scale_tril=factor)
        values["one_normal"] = float(-normal.log_prob(x).mean())
    return values

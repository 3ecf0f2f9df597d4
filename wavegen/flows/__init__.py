"""Bijections, flows, autoregressive distributions; nothing of audio, images or training in it."""

from wavegen.flows.act_norm import ActNorm
from wavegen.flows.affine import Affine, BoundedLogScale
from wavegen.flows.autoregressive import Autoregressive
from wavegen.flows.autoregressive_distribution import AutoregressiveDistribution, AutoregressiveModel
from wavegen.flows.base import StandardLogistic, StandardNormal, StandardUniform
from wavegen.flows.bijection import Bijection, Context, Inverse, Transform
from wavegen.flows.compose import Chain, Compose
from wavegen.flows.elementwise import Elementwise
from wavegen.flows.flow import Flow, FlowDistribution
from wavegen.flows.mixture_cdf import MixtureOfLogisticsCDF, MixtureOfLogisticsLogit
from wavegen.flows.monotone import Logit, Sigmoid
from wavegen.flows.multiscale import FactorOut, Squeeze
from wavegen.flows.permutation import Permutation
from wavegen.flows.reshape import Reshape

__all__ = [
    "ActNorm",
    "Affine",
    "Autoregressive",
    "AutoregressiveDistribution",
    "AutoregressiveModel",
    "Bijection",
    "BoundedLogScale",
    "Chain",
    "Compose",
    "Context",
    "Elementwise",
    "FactorOut",
    "Flow",
    "FlowDistribution",
    "Inverse",
    "Logit",
    "MixtureOfLogisticsCDF",
    "MixtureOfLogisticsLogit",
    "Permutation",
    "Reshape",
    "Sigmoid",
    "Squeeze",
    "StandardLogistic",
    "StandardNormal",
    "StandardUniform",
    "Transform",
]

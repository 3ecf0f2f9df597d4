"""Bijections, flows and their parts; this package knows nothing of audio, images or training."""

from wavegen.distributions.autoregressive import AutoregressiveDistribution, AutoregressiveModel
from wavegen.distributions.batches import Context
from wavegen.flows.act_norm import ActNorm
from wavegen.flows.additive import Additive
from wavegen.flows.affine import Affine, BoundedLogScale
from wavegen.flows.autoregressive import Autoregressive
from wavegen.flows.base import StandardLogistic, StandardNormal, StandardUniform
from wavegen.flows.batch_norm import BatchNorm
from wavegen.flows.bijection import Bijection, Inverse, Transform
from wavegen.flows.chained import Chained
from wavegen.flows.compose import Chain, Compose
from wavegen.flows.coupling import Coupling
from wavegen.flows.dequantization import UniformDequantization, VariationalDequantization
from wavegen.flows.draws import with_context
from wavegen.flows.elementwise import Elementwise
from wavegen.flows.emerging import AutoregressiveConvolution, EmergingConvolution
from wavegen.flows.flow import Flow, FlowDistribution
from wavegen.flows.image_split import ChannelSplit, CheckerboardSplit
from wavegen.flows.invertible_convolution import InvertibleConvolution, LUConvolution
from wavegen.flows.linear import Diagonal, LULinear, QRLinear, Triangular
from wavegen.flows.linear_prediction import LinearPrediction
from wavegen.flows.mixture_cdf import MixtureOfLogisticsCDF, MixtureOfLogisticsLogit
from wavegen.flows.monotone import LeakyReLU, LearnableLeakyReLU, Logit, Sigmoid, Softplus, Tanh
from wavegen.flows.multiscale import FactorOut, Squeeze
from wavegen.flows.orthonormal import HouseholderProduct, OrthonormalColumns, PermutedAxes
from wavegen.flows.parameters import FreeParameters
from wavegen.flows.periodic_convolution import PeriodicConvolution
from wavegen.flows.permutation import Permutation, Reversal
from wavegen.flows.planar import Planar
from wavegen.flows.radial import Radial
from wavegen.flows.rescale import Rescale
from wavegen.flows.reshape import Reshape
from wavegen.flows.spline import RationalQuadraticSpline
from wavegen.flows.split import AlternatingSplit, HalfSplit, MaskSplit, Split
from wavegen.flows.surjections import AbsoluteValue, Augment, Slice
from wavegen.flows.sylvester import HouseholderSylvester, OrthogonalSylvester, Sylvester, TriangularSylvester

__all__ = [
    "AbsoluteValue",
    "ActNorm",
    "Additive",
    "Affine",
    "AlternatingSplit",
    "Augment",
    "Autoregressive",
    "AutoregressiveConvolution",
    "AutoregressiveDistribution",
    "AutoregressiveModel",
    "BatchNorm",
    "Bijection",
    "BoundedLogScale",
    "Chain",
    "Chained",
    "ChannelSplit",
    "CheckerboardSplit",
    "Compose",
    "Context",
    "Coupling",
    "Diagonal",
    "Elementwise",
    "EmergingConvolution",
    "FactorOut",
    "Flow",
    "FlowDistribution",
    "FreeParameters",
    "HalfSplit",
    "HouseholderProduct",
    "HouseholderSylvester",
    "Inverse",
    "InvertibleConvolution",
    "LUConvolution",
    "LULinear",
    "LeakyReLU",
    "LearnableLeakyReLU",
    "LinearPrediction",
    "Logit",
    "MaskSplit",
    "MixtureOfLogisticsCDF",
    "MixtureOfLogisticsLogit",
    "OrthogonalSylvester",
    "OrthonormalColumns",
    "PeriodicConvolution",
    "Permutation",
    "PermutedAxes",
    "Planar",
    "QRLinear",
    "Radial",
    "RationalQuadraticSpline",
    "Rescale",
    "Reshape",
    "Reversal",
    "Sigmoid",
    "Slice",
    "Softplus",
    "Split",
    "Squeeze",
    "StandardLogistic",
    "StandardNormal",
    "StandardUniform",
    "Sylvester",
    "Tanh",
    "Transform",
    "Triangular",
    "TriangularSylvester",
    "UniformDequantization",
    "VariationalDequantization",
    "with_context",
]

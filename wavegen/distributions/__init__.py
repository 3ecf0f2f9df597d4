"""Distributions of single elements, and the heads that build them from a net's output."""

from wavegen.distributions.discretized_logistic_mixture import DiscretizedLogisticMixture
from wavegen.distributions.heads import LogisticMixtureHead, MuLawHead, NormalHead
from wavegen.distributions.logistic import Logistic
from wavegen.distributions.logistic_mixture import LogisticMixture
from wavegen.distributions.lower_bound import lower_bound
from wavegen.distributions.mu_law import MuLawCategorical, mu_law_decode, mu_law_encode
from wavegen.distributions.normal import DiscretizedNormal, Normal

__all__ = [
    "DiscretizedLogisticMixture",
    "DiscretizedNormal",
    "Logistic",
    "LogisticMixture",
    "LogisticMixtureHead",
    "MuLawCategorical",
    "MuLawHead",
    "Normal",
    "NormalHead",
    "lower_bound",
    "mu_law_decode",
    "mu_law_encode",
]

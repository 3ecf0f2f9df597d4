"""Fixed affine maps."""

from wavegen.flows import Rescale

CASES = {"rescale": {"build": lambda: Rescale(scale=-2.5, loc=0.75)}}

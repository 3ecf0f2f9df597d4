"""wavegen: neural speech synthesis by WaveNet distillation, based on normalising flows."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("wavegen")
except PackageNotFoundError:  # running from a source tree that was never installed
    __version__ = "0+unknown"

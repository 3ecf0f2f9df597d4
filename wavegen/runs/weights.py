"""Saves and loads the weights of models in a run folder, and builds models from untrusted configurations."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import torch
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from wavegen.calls import build
from wavegen.errors import UserError
from wavegen.files import write_bytes
from wavegen.runs.checksums import check_sum
from wavegen.runs.manifest import MANIFEST, read_manifest
from wavegen.runs.parameter_budget import parameter_budget
from wavegen.untrusted.arguments import check_calls, is_kind, product
from wavegen.untrusted.targets import TARGET, model_parts, refuse_foreign_targets


def weights_file(run: Path, name: str) -> Path:
    """The path of a model's weights, whether the file exists or not."""
    return run / f"{name}.safetensors"


def save_weights(run: Path, name: str, model: nn.Module, *, dtype: torch.dtype | None = None) -> str:
    """Write ``run/<name>.safetensors`` atomically.

    Args:
        dtype: to which parameters are rounded; None keeps theirs. Buffers are not trained and keep theirs.

    Returns:
        The SHA-256 sum of what was written, in hexadecimal digits.
    """
    trained = dict(model.named_parameters())
    tensors = {
        key: (value.to(dtype) if dtype and key in trained else value).detach().cpu().contiguous()
        for key, value in model.state_dict().items()
    }
    content = save(tensors)
    write_bytes(weights_file(run, name), content)
    return hashlib.sha256(content).hexdigest()


def load_model(run: str | Path, name: str) -> nn.Module | None:
    """The named model of a run's manifest with its weights, in evaluation mode; None if the run has none.

    The folder need not be trusted: nothing is unpickled, and only model parts are instantiated.

    Raises:
        UserError: if a file is missing, malformed, truncated, has another format, or describes anything but
            such models; names the file.
    """
    run = Path(run)
    models, weights = read_manifest(run)["models"], weights_file(run, name)
    if not weights.exists() or name not in models:
        return None
    return load_built(models[name], weights, f"{run / MANIFEST}, {name}")


def load_built(config: Any, weights: Path, source: str | Path) -> nn.Module:
    """The model of a configuration with the weights of a file, in evaluation mode.

    Raises:
        UserError: as :func:`build_model` and :func:`load_weights`; if the model has more parameters than the
            file, before memory is used for them.
    """
    tensors = read_weights(weights)
    num_values = sum(tensor.numel() for tensor in tensors.values())
    what = f"{weights} does not fit the model of {source}"
    with parameter_budget(num_values, f"{what}: the file has {num_values} numbers, the model has more"):
        model = build_model(config, source)
    return _fill(model, tensors, weights, source)


def load_weights(model: nn.Module, weights: Path, source: str | Path) -> nn.Module:
    """The model with the weights of a file, in evaluation mode.

    Args:
        source: the file of the model's configuration, for the message.

    Raises:
        UserError: if the file is corrupt, or belongs to another model.
    """
    return _fill(model, read_weights(weights), weights, source)


def read_weights(weights: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        UserError: if it is corrupt; as :func:`~wavegen.runs.checksums.check_sum`.
    """
    check_sum(weights)
    try:
        return load_file(weights)
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{weights} is corrupt or truncated ({error}), expected a safetensors file"
        ) from error


def _fill(model: nn.Module, tensors: Mapping[str, Tensor], weights: Path, source: str | Path) -> nn.Module:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise UserError(f"{weights} does not fit the model of {source}: {detail}") from error
    return model.eval()


def build_model(config: Any, source: str | Path) -> nn.Module:
    """Instantiate a model configuration, which need not be trusted.

    Args:
        config: may name only model parts of ``wavegen.untrusted.targets``, with arguments of the right type.
        source: its file, for the message.

    Raises:
        UserError: if it contains anything else, if the model is larger than this machine's memory, or of the
            model itself.
    """
    refuse_foreign_targets(config, source, allowed=model_parts())
    check_calls(config, source)
    if not (isinstance(config, Mapping) and TARGET in config and is_kind(product(config), nn.Module)):
        raise UserError(f"{source} does not describe a model, expected a {TARGET} that makes one")
    memory = psutil.virtual_memory().total
    try:
        with parameter_budget(memory // 4, f"{source} describes a model larger than memory, {memory} bytes"):
            return build(dict(config), _convert_="all")
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ or error  # hydra wraps the exception of a constructor
        reason = (str(cause) or type(cause).__name__).splitlines()[0]
        raise UserError(f"{source} describes a model that cannot be built ({reason})") from error

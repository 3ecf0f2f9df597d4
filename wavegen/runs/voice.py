"""A run folder as a voice: weights by safetensors, everything else as checked JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from wavegen.calls import build, check_calls, is_kind, product
from wavegen.errors import UserError
from wavegen.files import write_bytes
from wavegen.linguistics.features import FeatureEncoder
from wavegen.runs.parameter_budget import parameter_budget
from wavegen.runs.targets import MODEL_PARTS, TARGET, refuse_foreign_targets

if TYPE_CHECKING:  # whoever only speaks need not wait for Lhotse
    from wavegen.data.speech.corpus import Corpus

FORMAT_VERSION = 1
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8000, 192_000  # Hz; a corpus's is a multiple of 200


@dataclass
class Voice:
    """A trained voice: how features are encoded, and the models that speak from them.

    ``description`` is the content of ``voice.json``; ``teacher`` or ``student`` is None where the run has
    none yet.
    """

    description: dict[str, Any]
    encoder: FeatureEncoder
    teacher: nn.Module | None
    student: nn.Module | None

    @property
    def sample_rate(self) -> int:
        return self.description["sample_rate"]

    @property
    def hop_samples(self) -> int:
        return self.description["hop_samples"]

    @property
    def config(self) -> dict[str, Any]:
        return self.description["models"]


def describe_voice(run: Path, description: Mapping[str, Any]) -> None:
    """Write ``run/voice.json``; model configurations already described there are kept beside the new ones."""
    path = run / "voice.json"
    models = read_description(path)["models"] if path.exists() else {}
    merged = {"format": FORMAT_VERSION, **description, "models": {**models, **description["models"]}}
    write_bytes(path, json.dumps(merged, indent=1, ensure_ascii=False).encode())


def save_weights(run: Path, name: str, model: nn.Module) -> None:
    """Write ``run/<name>.safetensors``, complete or not at all."""
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    write_bytes(run / f"{name}.safetensors", save(tensors))


def load_voice(run: str | Path) -> Voice:
    """Read a run folder that may come from a stranger: nothing is unpickled, and only the model parts of
    ``wavegen.runs.targets`` are instantiated.

    Raises:
        UserError: naming the file, where it is missing, malformed, truncated, of another format, or describes
            anything but such models.
    """
    run = Path(run)
    description = read_description(run / "voice.json")
    try:
        encoder = FeatureEncoder.from_dict(description["encoder"])
    except UserError as error:
        raise UserError(f"{run / 'voice.json'}: {error}") from error
    models = {name: load_model(run, description, name) for name in ("teacher", "student")}
    if not any(models.values()):
        raise UserError(f"{run} holds no weights, expected teacher.safetensors or student.safetensors")
    return Voice(description, encoder, **models)


def load_model(run: Path, description: Mapping[str, Any], name: str) -> nn.Module | None:
    """The named model with its weights, in evaluation mode; None where the run has none."""
    weights = run / f"{name}.safetensors"
    if not weights.exists() or name not in description["models"]:
        return None
    return load_built(description["models"][name], weights, f"{run / 'voice.json'}, {name}")


def load_built(config: Any, weights: Path, source: str | Path) -> nn.Module:
    """The model of a configuration with the weights of a file, in evaluation mode.

    Raises:
        UserError: as :func:`build_model` and :func:`load_weights`; before memory is taken for more parameters
            than the file holds.
    """
    tensors = read_weights(weights)
    num_values = sum(tensor.numel() for tensor in tensors.values())
    what = f"{weights} does not fit the model of {source}"
    with parameter_budget(num_values, f"{what}: it holds {num_values} numbers, the model has more"):
        model = build_model(config, source)
    return _fill(model, tensors, weights, source)


def load_weights(model: nn.Module, weights: Path, source: str | Path) -> nn.Module:
    """The model with the weights of a file, in evaluation mode.

    Args:
        source: what the model was built from, for the message.

    Raises:
        UserError: where the file is corrupt, or of another model.
    """
    return _fill(model, read_weights(weights), weights, source)


def read_weights(weights: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises UserError where it is corrupt."""
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
    """Instantiate a model configuration that may come from a stranger.

    Args:
        config: names model parts of ``wavegen.runs.targets`` only, with arguments that fit them.
        source: its file, for the message.

    Raises:
        UserError: on anything else, and on more parameters than this machine's memory holds; in the model's
            own words if it has some.
    """
    refuse_foreign_targets(config, source, allowed=MODEL_PARTS)
    check_calls(config, source)
    if not (isinstance(config, Mapping) and TARGET in config and is_kind(product(config), nn.Module)):
        raise UserError(f"{source} describes no model, expected a {TARGET} that makes one")
    memory = psutil.virtual_memory().total
    try:
        with parameter_budget(memory // 4, f"{source} describes a model larger than memory, {memory} bytes"):
            return build(dict(config), _convert_="all")
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ or error  # hydra wraps whatever a constructor raised
        reason = (str(cause) or type(cause).__name__).splitlines()[0]
        raise UserError(f"{source} describes a model that cannot be built ({reason})") from error


def read_description(path: Path) -> dict[str, Any]:
    """The checked content of a ``voice.json``."""
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{path.parent} is no voice: {path} is missing; train one with 'wavegen distill'"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error})") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT_VERSION:
        got = description.get("format") if isinstance(description, dict) else type(description).__name__
        raise UserError(f"{path} has format {got!r}, expected {FORMAT_VERSION}")
    wanted = {"sample_rate": int, "hop_samples": int, "encoder": dict, "models": dict}
    for key, kind in wanted.items():
        if not isinstance(description.get(key), kind):
            raise UserError(f"{path} has no valid entry '{key}', expected {kind.__name__}")
    rate, hop_samples = description["sample_rate"], description["hop_samples"]
    if not (MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE and rate == 200 * hop_samples):
        raise UserError(
            f"{path} has sample_rate {rate} and hop_samples {hop_samples}, expected {MIN_SAMPLE_RATE} to "
            f"{MAX_SAMPLE_RATE} Hz, and a frame of 5 ms of it"
        )
    return description


def require_match(voice: Voice, corpus: "Corpus", source: str | Path) -> Voice:
    """The voice, once its sample rate and feature layout are the corpus's.

    Args:
        source: the voice's folder, for the message.

    Raises:
        UserError: saying what differs, and what to give.
    """
    if voice.sample_rate != corpus.sample_rate:
        raise UserError(
            f"{source} speaks at {voice.sample_rate} Hz but the corpus has {corpus.sample_rate} Hz, expected "
            f"the same: prepare another with corpus.sample_rate={voice.sample_rate} and a corpus.directory "
            "of its own"
        )
    mine, theirs = voice.encoder.layout.digest, corpus.encoder.layout.digest
    if mine != theirs:
        raise UserError(
            f"{source} was trained on feature layout {mine} but the corpus has {theirs}, expected the same: "
            "prepare the corpus with the version of wavegen that trained the voice, or train anew"
        )
    return voice

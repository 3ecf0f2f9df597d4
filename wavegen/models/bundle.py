"""A run folder as a voice: weights by safetensors, everything else as checked JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from hydra.utils import get_object, instantiate
from omegaconf.errors import OmegaConfBaseException
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from wavegen.errors import UserError
from wavegen.files import write_bytes
from wavegen.linguistics.features import FeatureEncoder

if TYPE_CHECKING:  # whoever only speaks need not wait for Lhotse
    from wavegen.corpora.corpus import Corpus

FORMAT_VERSION = 1
MODEL_ROOMS = ("wavegen.distributions.", "wavegen.flows.", "wavegen.nets.", "wavegen.models.")


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
    """Read a run folder that may come from a stranger: nothing is unpickled, only model parts of wavegen are
    instantiated.

    Raises:
        UserError: naming the file, where it is missing, malformed, truncated, of another format, or names a
            target outside wavegen.
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
    model = build_model(description["models"][name], source=run / "voice.json")
    return load_weights(model, weights, run / "voice.json")


def load_weights(model: nn.Module, weights: Path, source: str | Path) -> nn.Module:
    """The model with the weights of a file, in evaluation mode.

    Args:
        source: what the model was built from, for the message.

    Raises:
        UserError: where the file is corrupt, or of another model.
    """
    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{weights} is corrupt or truncated ({error}), expected a safetensors file"
        ) from error
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise UserError(f"{weights} does not fit the model of {source}: {detail}") from error
    return model.eval()


def build_model(config: Mapping[str, Any], source: str | Path) -> nn.Module:
    """Instantiate a model configuration whose every ``_target_`` lies inside wavegen.

    Raises:
        UserError: on a foreign target; on arguments that do not fit, in the model's own words if it has some.
    """
    refuse_foreign_targets(config, source)
    try:
        return instantiate(dict(config), _convert_="all")
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__ or error  # hydra wraps whatever a constructor raised
        if isinstance(cause, UserError):
            raise cause from error
        reason = str(cause).splitlines()[0]
        raise UserError(f"{source} describes a model that cannot be built ({reason})") from error


def refuse_foreign_targets(node: Any, source: str | Path, allowed: tuple[str, ...] = MODEL_ROOMS) -> None:
    """A configuration someone was handed is data: it may name only what models are made of.

    A target counts by where its object is *defined*, so that ``wavegen.models.bundle.write_bytes`` is refused
    too. An interpolation is refused because resolvers can make nodes, and so targets, out of a string.

    Args:
        node: any part of the configuration.
        source: its file, for the message.
        allowed: prefixes of the modules whose objects may be named.

    Raises:
        UserError: naming the first target or interpolation that is refused.
    """
    if isinstance(node, str) and "${" in node:
        raise UserError(f"{source} holds the interpolation {node!r}, expected plain values")
    if isinstance(node, Mapping):
        if "_target_" in node:
            target = node["_target_"]
            if not (isinstance(target, str) and target.startswith(allowed) and defined_in(target, allowed)):
                raise UserError(
                    f"{source} names the target {target!r}, expected only objects of {', '.join(allowed)}"
                )
        for key, value in node.items():
            refuse_foreign_targets(key, source, allowed)
            refuse_foreign_targets(value, source, allowed)
    elif isinstance(node, (list, tuple)):
        for value in node:
            refuse_foreign_targets(value, source, allowed)


def defined_in(target: str, allowed: tuple[str, ...]) -> bool:
    """Whether the dotted name exists and its object is defined in one of the modules allowed."""
    try:
        return get_object(target).__module__.startswith(allowed)
    except Exception:  # hydra wraps whatever the import raised; a name that cannot be found is not allowed
        return False


def read_description(path: Path) -> dict[str, Any]:
    """The checked content of a ``voice.json``."""
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{path.parent} is no voice: {path} is missing; train one with 'wavegen distill'"
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error})") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT_VERSION:
        got = description.get("format") if isinstance(description, dict) else type(description).__name__
        raise UserError(f"{path} has format {got!r}, expected {FORMAT_VERSION}")
    wanted = {"sample_rate": int, "hop_samples": int, "encoder": dict, "models": dict}
    for key, kind in wanted.items():
        if not isinstance(description.get(key), kind):
            raise UserError(f"{path} has no valid entry '{key}', expected {kind.__name__}")
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

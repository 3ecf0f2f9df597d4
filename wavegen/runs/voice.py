"""Loads a run folder as a voice: its models, and the parts that turn text into their context."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import nn

from wavegen.errors import UserError
from wavegen.linguistics.analysis import TextAnalysis
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.linguistics.prosody.prosody import Prosody
from wavegen.models.speech.protocols import ParallelModel, SequentialModel
from wavegen.models.speech.source_filter import SourceFilter
from wavegen.runs.manifest import MANIFEST, read_manifest
from wavegen.runs.weights import load_model
from wavegen.untrusted.parts import restore

if TYPE_CHECKING:  # synthesis does not need Lhotse, which is slow to import
    from wavegen.data.speech.corpus import Corpus

MODELS = ("teacher", "student", "source_filter")
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8000, 192_000  # Hz; the sample rate of a corpus is a multiple of 200


@dataclass
class Voice:
    """A trained voice: its feature encoder and its models.

    ``description`` is the content of the manifest; a model is None if the run does not contain it yet.
    """

    description: dict[str, Any]
    encoder: FeatureEncoder
    teacher: SequentialModel | None
    student: ParallelModel | None
    source_filter: SourceFilter | None = None

    def to(self, device: torch.device) -> Self:
        """The voice, with its models moved to the device."""
        for name in MODELS:
            model = getattr(self, name)
            if model is not None:
                cast(nn.Module, model).to(device)
        return self

    @property
    def sample_rate(self) -> int:
        return self.description["sample_rate"]

    @property
    def hop_samples(self) -> int:
        return self.description["hop_samples"]

    @property
    def analysis(self) -> TextAnalysis:
        """Turns text into context in the same way as in the voice's corpus.

        Raises:
            UserError: if the manifest's front end or prosody is missing or malformed.
        """
        front_end = restore(self.description.get("front_end"), FrontEnd, f"{MANIFEST}, front_end")
        prosody = restore(self.description.get("prosody"), Prosody, f"{MANIFEST}, prosody")
        return TextAnalysis(front_end, prosody, self.encoder)

    @property
    def config(self) -> dict[str, Any]:
        return self.description["models"]


def load_voice(run: str | Path) -> Voice:
    """Read a run folder, which need not be trusted; its models lie on the CPU, wherever they were trained.

    Raises:
        UserError: as :func:`~wavegen.runs.weights.load_model`; if the manifest does not describe a voice,
            there are no weights, or a model is not a model of speech.
    """
    run = Path(run)
    description = read_manifest(run)
    _check_rates(description, run / MANIFEST)
    encoder = FeatureEncoder.from_dict(description["encoder"], run / MANIFEST)
    teacher, student, source_filter = (load_model(run, name) for name in MODELS)
    if teacher is None and student is None and source_filter is None:
        expected = ", ".join(f"{name}.safetensors" for name in MODELS)
        raise UserError(f"{run} contains no weights, expected one of {expected}")
    if teacher is not None and not isinstance(teacher, SequentialModel):
        kind = type(teacher).__name__
        raise UserError(f"{run / MANIFEST}: teacher is a {kind}, expected a sequential model")
    if student is not None and not isinstance(student, ParallelModel):
        kind = type(student).__name__
        raise UserError(f"{run / MANIFEST}: student is a {kind}, expected a parallel model")
    if source_filter is not None and not isinstance(source_filter, SourceFilter):
        kind = type(source_filter).__name__
        raise UserError(f"{run / MANIFEST}: source_filter is a {kind}, expected a source-filter model")
    return Voice(description, encoder, teacher, student, source_filter)


def _check_rates(description: dict[str, Any], path: Path) -> None:
    for key, kind in {"sample_rate": int, "hop_samples": int, "encoder": dict}.items():
        if not isinstance(description.get(key), kind):
            raise UserError(f"{path} has no valid entry '{key}', expected {kind.__name__}")
    rate, hop_samples = description["sample_rate"], description["hop_samples"]
    if not (MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE and rate == 200 * hop_samples):
        raise UserError(
            f"{path} has sample_rate {rate} and hop_samples {hop_samples}, expected {MIN_SAMPLE_RATE} to "
            f"{MAX_SAMPLE_RATE} Hz, and hop_samples of 5 ms"
        )


def require_match(voice: Voice, corpus: "Corpus", source: str | Path) -> Voice:
    """The voice, after a check that it has the corpus's sample rate and feature layout.

    Args:
        source: the voice's folder, for the message.

    Raises:
        UserError: if they differ; says what to change.
    """
    if voice.sample_rate != corpus.sample_rate:
        raise UserError(
            f"{source} has {voice.sample_rate} Hz but the corpus has {corpus.sample_rate} Hz, expected the "
            f"same: prepare another corpus with corpus.sample_rate={voice.sample_rate} and another "
            "corpus.directory"
        )
    mine, theirs = voice.encoder.layout.digest, corpus.encoder.layout.digest
    if mine != theirs:
        raise UserError(
            f"{source} was trained on feature layout {mine} but the corpus has {theirs}, expected the same: "
            "prepare the corpus with the version of wavegen that trained the voice, or train a new voice"
        )
    return voice

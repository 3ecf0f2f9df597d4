"""A stage of a voice: training a model on segments of a corpus."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
from omegaconf import DictConfig, OmegaConf
from torch import nn

from wavegen.calls import build
from wavegen.data.speech.corpus import Corpus
from wavegen.runs.voice import load_voice, require_match
from wavegen.runs.weights import weights_file
from wavegen.training.data import SegmentData
from wavegen.training.fit import fit
from wavegen.training.module import TrainingModule
from wavegen.training.settings import fit_settings
from wavegen.training.spoken_samples import SpokenSamples
from wavegen.training.stage import run_stage
from wavegen.untrusted.parts import describe


def fill_in_voice(config: DictConfig, corpus: Corpus) -> None:
    """Write the corpus properties that the models' configurations refer to into ``config.voice``."""
    voice = {
        "sample_rate": corpus.sample_rate,
        "hop_samples": corpus.hop_samples,
        "num_features": corpus.encoder.layout.num_features,
    }
    OmegaConf.update(config, "voice", voice)


def facts_of(corpus: Corpus) -> dict[str, Any]:
    """The manifest entries of a voice beside its models: all that is needed to turn text into context."""
    return {
        "sample_rate": corpus.sample_rate,
        "hop_samples": corpus.hop_samples,
        "encoder": corpus.encoder.to_dict(),
        "front_end": describe(corpus.front_end),
        "prosody": describe(corpus.prosody),
    }


def plain(config: DictConfig) -> dict[str, Any]:
    """A part of the configuration as a dictionary, its interpolations resolved."""
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))


def recordings(corpus: Corpus, limit: int = 100) -> list[np.ndarray]:
    """The first recordings of the training part, for values that are estimated before training."""
    return [corpus.load(cut)[0] for cut in itertools.islice(corpus.cuts("train"), limit)]


def margins(*models: nn.Module, hop_samples: int) -> dict[str, int]:
    """What a segment needs around it, so that the models compute there what they do in whole utterances.

    The features of the oldest sample are interpolated, so the past begins a frame before it.

    Returns:
        ``past_samples`` before it, and ``lookahead_frames`` of features after it, for :class:`SegmentData`.
    """
    past = [
        model.past_samples if hasattr(model, "past_samples") else model.receptive_field for model in models
    ]
    return {
        "past_samples": max(past) + hop_samples,
        "lookahead_frames": max(getattr(model, "lookahead_frames", 1) for model in models),
    }


def speech_stage(
    name: str,
    build_from: Callable[[dict[str, Any]], nn.Module],
    module: Callable[[nn.Module], TrainingModule],
    *,
    model_config: dict[str, Any],
    config: DictConfig,
    corpus: Corpus,
    run: Path,
    seed: int,
    beside: Sequence[nn.Module] = (),
    callbacks: Sequence[lightning.Callback] = (),
    finish: Callable[[TrainingModule], None] | None = None,
) -> nn.Module:
    """A stage on segments of a corpus that logs spoken samples at validations.

    Args:
        beside: other models that are computed on the same segments, as the teacher of a student.
    """
    if weights_file(run, name).exists():
        require_match(load_voice(run), corpus, run)
    settings = config[f"{name}_training"]

    def segments(model: nn.Module) -> SegmentData:
        return SegmentData(
            corpus=corpus,
            segment_s=settings.segment_s,
            batch_size=settings.batch_size,
            **margins(model, *beside, hop_samples=corpus.hop_samples),
            seed=config.seed,
            num_workers=settings.num_workers,
        )

    def fit_speaking(**given: Any) -> None:
        spoken = SpokenSamples(
            corpus=corpus, every_num_validations=settings.speak_every_num_validations, seed=config.seed
        )
        # The run's seed is for all draws in training; the stage's seed is only for the initial weights.
        given["seed"] = config.seed
        fit(trainer=build(config.trainer), callbacks=[*callbacks, spoken], **given, **fit_settings(settings))

    return run_stage(
        name,
        lambda: build_from(model_config),
        module,
        segments,
        run=run,
        seed=seed,
        fit=fit_speaking,
        model_config=model_config,
        facts=facts_of(corpus),
        finish=finish,
    )

"""The first stage of a voice: training a source-filter model."""

from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig
from torch import nn

from wavegen.calls import build_all
from wavegen.data.speech.corpus import Corpus
from wavegen.models.speech.source_filter import SourceFilter
from wavegen.objectives.distillation import weighted_terms
from wavegen.runs.folder import check_stored
from wavegen.runs.weights import build_model
from wavegen.training.selection import BestOnDev
from wavegen.training.settings import optimisation
from wavegen.training.source_filter import SourceFilterTraining
from wavegen.training.speech_stage import plain, recordings, speech_stage


def source_filter_training(config: DictConfig, corpus: Corpus, model: SourceFilter) -> SourceFilterTraining:
    """The training of the model as configured; its losses are initialised with recordings of the corpus.

    Raises:
        UserError: if a loss cannot be built, ``resume=`` would refuse its arguments, or two have one name.
    """
    settings = config.source_filter_training

    def weighted(name: str) -> nn.ModuleDict:
        key = f"source_filter_training.{name}"
        check_stored(settings[name], key)
        return weighted_terms(key, build_all(settings[name], _convert_="all"), recordings(corpus))

    return SourceFilterTraining(
        model=model,
        residual_losses=weighted("residual_losses"),
        distances=weighted("distances"),
        voice_segments=settings.voice_segments,
        **optimisation(settings),
    )


def train_source_filter(config: DictConfig, corpus: Corpus, run: Path) -> SourceFilter | None:
    """Fit the configured source-filter model, or load it if the run already contains it; None for ``none``.

    The averaged weights of the validation with the lowest cost are saved in the run.
    """
    if not config.get("source_filter"):
        return None
    best: list[BestOnDev] = []

    def build_model_to_select(model_config: dict[str, Any]) -> nn.Module:
        model = build_model(model_config, source="source_filter")
        model.mixture.fit_to_data(recordings(corpus))
        best.append(BestOnDev(model))
        return model

    trained = speech_stage(
        "source_filter",
        build_model_to_select,
        lambda model: source_filter_training(config, corpus, cast(SourceFilter, model)),
        model_config=plain(config.source_filter),
        config=config,
        corpus=corpus,
        run=run,
        seed=config.seed,
        callbacks=best,
        finish=lambda _: best[0].restore(),
    )
    return cast(SourceFilter, trained)

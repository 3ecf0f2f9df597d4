"""Tries the losses of a source-filter model once, before a run folder is made."""

from typing import cast

import torch
from omegaconf import DictConfig

from wavegen.data.speech.corpus import Corpus
from wavegen.errors import UserError
from wavegen.models.speech.source_filter import SourceFilter
from wavegen.runs.weights import build_model
from wavegen.training.noise_batch import noise_batch
from wavegen.training.source_filter_stage import source_filter_training
from wavegen.training.speech_stage import plain
from wavegen.training.trial import require_call, require_finite_scalar, trial


def check_source_filter(config: DictConfig, corpus: Corpus) -> None:
    """Compute every loss of the source-filter stage on a short batch; nothing for ``source_filter=none``.

    The random state is left as it was.

    Args:
        config: of the recipe, its ``voice`` filled in.
        corpus: of the recordings.

    Raises:
        UserError: if the model or a loss cannot be built, or a loss is not a finite scalar.
    """
    if not config.get("source_filter"):
        return
    with trial():
        torch.manual_seed(config.seed)
        model = cast(SourceFilter, build_model(plain(config.source_filter), source="source_filter").eval())
        training = source_filter_training(config, corpus, model)
        batch = noise_batch(config.voice, config.source_filter_training.segment_s)
        residual = model.filter.residual(batch.waveform, batch.context)
        pair = batch.waveform, batch.waveform.flip(0)
        for group, call, arguments in (
            ("residual_losses", "forward(residual, mask) -> Tensor", (residual, batch.mask)),
            ("distances", "distance(sample, recording) -> Tensor", pair),
        ):
            for name, entry in getattr(training, group).items():
                key = f"source_filter_training.{group}.{name}"
                kind = type(entry.loss).__name__
                if (function := getattr(entry.loss, call.partition("(")[0], None)) is None:
                    raise UserError(f"{key}: {kind} has no {call.partition('(')[0]}, expected {call}")
                require_call(f"{key}: {kind}", function, arguments, call)
                require_finite_scalar(f"{key}: the value of {kind}", function(*arguments))

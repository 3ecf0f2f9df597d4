"""Computes the registry's metrics of one utterance from a system's waveform and the recording."""

from wavegen.evaluation.tally import Tally
from wavegen.metrics.metric import Spoken
from wavegen.metrics.registry import DISTORTION


def tally_utterance(system: str, spoken: Spoken, tally: Tally) -> None:
    """Add ``system/…`` for one utterance; for the recording only metrics that are not always zero."""
    is_reference = spoken.waveform is spoken.reference
    voiced = spoken.voiced
    weights = {"all": len(voiced), "voiced": int(voiced.sum())}
    for metric in DISTORTION:
        if metric.of_reference or not is_reference:
            tally.add(f"{system}/{metric.key}", metric.function(spoken), weights[metric.over])

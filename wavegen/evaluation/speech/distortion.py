"""A system's waveform against the recording: every number of the registry for one utterance."""

from wavegen.evaluation.tally import Tally
from wavegen.metrics.metric import Spoken
from wavegen.metrics.registry import DISTORTION


def tally_utterance(system: str, spoken: Spoken, tally: Tally) -> None:
    """Adds ``system/…`` for one utterance; the recording itself gets only what is not zero by definition."""
    is_reference = spoken.waveform is spoken.reference
    voiced = spoken.voiced
    weights = {"all": len(voiced), "voiced": int(voiced.sum())}
    for metric in DISTORTION:
        if metric.of_reference or not is_reference:
            tally.add(f"{system}/{metric.key}", metric.function(spoken), weights[metric.over])

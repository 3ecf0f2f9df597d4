"""Reads the phone classifier of a run folder."""

from pathlib import Path

from wavegen.errors import UserError
from wavegen.models.speech.phone_classifier import PhoneClassifier
from wavegen.runs.manifest import MANIFEST, read_manifest
from wavegen.runs.weights import load_model

CLASSIFIER = "classifier"


def load_classifier(run: str | None, sample_rate: int) -> PhoneClassifier:
    """The classifier of a run of ``wavegen classifier``, in evaluation mode; the folder need not be trusted.

    Args:
        run: the folder.
        sample_rate: Hz, of the waveforms that it is to hear.

    Raises:
        UserError: if ``run`` is None, the run has no classifier, or it hears another sample rate; as
            :func:`~wavegen.runs.weights.load_model`.
    """
    if run is None:
        raise UserError("classifier_checkpoint must be given: the folder of a run of `wavegen classifier`")
    path = Path(run)
    manifest, classifier = read_manifest(path), load_model(path, CLASSIFIER)
    if not isinstance(classifier, PhoneClassifier):
        raise UserError(f"{run} contains no phone classifier, expected a run of `wavegen classifier`")
    if manifest.get("sample_rate") != sample_rate:
        raise UserError(
            f"{path / MANIFEST} has the sample rate {manifest.get('sample_rate')!r}, expected {sample_rate}, "
            "that of the corpus"
        )
    return classifier

"""Measures the phone classifier on whole utterances, beside the most frequent phone."""

from pathlib import Path

import torch
from torch import Tensor

from wavegen.data.speech.corpus import Corpus
from wavegen.evaluation.tally import Tally, as_json
from wavegen.files import write_bytes
from wavegen.linguistics.phone_targets import PhoneTargets
from wavegen.models.speech.phone_classifier import PhoneClassifier


@torch.inference_mode()
def evaluate_classifier(
    classifier: PhoneClassifier, corpus: Corpus, output: Path, *, seed: int
) -> dict[str, float | None]:
    """Write ``metrics.json`` with accuracies on dev and test; returns its content.

    ``classifier/SPLIT/accuracy`` is the share of frames whose phone is the most probable one,
    ``…/accuracy_without_pauses`` that in frames which are not silence. ``…/majority_accuracy`` is that of
    always naming the most frequent phone of the training part, and ``…/majority_accuracy_without_pauses``
    that of the most frequent one but silence, in frames which are not silence. Each has its 95 % interval
    over utterances (``_low``, ``_high``). Dev has chosen the weights, test has not.
    """
    targets, tally = PhoneTargets(corpus.encoder.layout), Tally()
    counts = torch.zeros(targets.num_phones, dtype=torch.int64)
    for utterance in corpus.utterances("train"):
        counts += targets(utterance.context).bincount(minlength=targets.num_phones)
    majority, device = counts.argmax(), next(classifier.parameters(), torch.empty(0)).device
    for split in ("dev", "test"):
        for utterance in corpus.utterances(split):
            phones = targets(utterance.context)
            heard = classifier(utterance.waveform[None].to(device))[0].argmax(0).cpu()
            speech = phones != 0  # silence has the index 0 in every layout
            scores = {
                "accuracy": heard == phones,
                "accuracy_without_pauses": (heard == phones)[speech],
                "majority_accuracy": phones == majority,
                "majority_accuracy_without_pauses": (phones == counts[1:].argmax() + 1)[speech],
            }
            for name, correct in scores.items():
                tally.add(f"classifier/{split}/{name}", share(correct), len(correct))
    metrics = tally.metrics(seed=seed)
    write_bytes(output / "metrics.json", as_json(metrics).encode())
    return metrics


def share(correct: Tensor) -> Tensor:
    return correct.float().mean()

import json

import pytest
import torch

from wavegen.evaluation.speech.classifier import evaluate_classifier
from wavegen.linguistics.phone_targets import PhoneTargets
from wavegen.models.speech.phone_classifier import PhoneClassifier


class Oracle(torch.nn.Module):
    """Hears the true phones of an utterance, recognised by its length, or always one phone."""

    def __init__(self, corpus, always=None):
        super().__init__()
        targets = PhoneTargets(corpus.encoder.layout)
        self.num_phones, self.always = targets.num_phones, always
        self.known = {
            tuple(utterance.waveform[:400].tolist()): targets(utterance.context)
            for split in ("dev", "test")
            for utterance in corpus.utterances(split)
        }

    def forward(self, waveform):
        phones = self.known[tuple(waveform[0, :400].tolist())]
        phones = phones if self.always is None else torch.full_like(phones, self.always)
        return torch.nn.functional.one_hot(phones, self.num_phones).T[None].float()


def test_accuracies_are_shares_of_frames_beside_the_most_frequent_phone(corpus, tmp_path):
    targets = PhoneTargets(corpus.encoder.layout)
    phones = {
        split: torch.cat([targets(utterance.context) for utterance in corpus.utterances(split)])
        for split in ("train", "dev", "test")
    }
    majority = phones["train"].bincount().argmax().item()
    metrics = evaluate_classifier(Oracle(corpus), corpus, tmp_path, seed=0)
    for split in ("dev", "test"):
        assert metrics[f"classifier/{split}/accuracy"] == 1
        share = (phones[split] == majority).float().mean().item()
        assert metrics[f"classifier/{split}/majority_accuracy"] == pytest.approx(share)
        sounds = phones[split][phones[split] != 0]
        frequent = phones["train"][phones["train"] != 0].bincount().argmax()
        share = (sounds == frequent).float().mean().item()
        assert metrics[f"classifier/{split}/majority_accuracy_without_pauses"] == pytest.approx(share)
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written.keys() == metrics.keys()
    one = evaluate_classifier(Oracle(corpus, always=0), corpus, tmp_path, seed=0)
    silence = (phones["test"] == 0).float().mean().item()
    assert one["classifier/test/accuracy"] == pytest.approx(silence)
    assert one["classifier/test/accuracy_without_pauses"] == 0


def test_a_classifier_is_measured_where_it_lies(corpus, tmp_path, device):
    num_phones = PhoneTargets(corpus.encoder.layout).num_phones
    classifier = PhoneClassifier(
        num_phones=num_phones, sample_rate=8000, hop_samples=40, num_filters=8, channels=6, num_layers=1
    ).eval()
    expected = evaluate_classifier(classifier, corpus, tmp_path, seed=0)
    assert evaluate_classifier(classifier.to(device), corpus, tmp_path, seed=0) == pytest.approx(
        expected, nan_ok=True
    )

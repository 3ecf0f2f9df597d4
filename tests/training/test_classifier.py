"""The classifier learns phones, scores what is scored, and a resumed training equals an uninterrupted one."""

import math

import pytest
import torch
from safetensors.torch import load_file

from wavegen.data.speech.segments import Batch
from wavegen.linguistics.context import SpeechContext
from wavegen.models.speech.phone_classifier import PhoneClassifier
from wavegen.runs.folder import open_run, resume_config
from wavegen.training.budget import Budget
from wavegen.training.classifier import ClassifierTraining, fill_in_phones, train_classifier
from wavegen.training.speech_stage import fill_in_voice

SMALL = [
    "classifier.num_filters=8",
    "classifier.channels=8",
    "classifier.num_layers=2",
    "classifier_training.segment_s=0.2",
    "classifier_training.batch_size=2",
    "classifier_training.max_steps=6",
    "classifier_training.validate_every_steps=3",
    "classifier_training.dev_batches=1",
    "classifier_training.num_workers=0",
]


def module_of(phones, classifier, **settings):
    """A training whose targets are given."""
    return ClassifierTraining(
        classifier=classifier,
        targets=lambda context: phones,
        hop_samples=40,
        optimizer=torch.optim.Adam,
        budget=Budget(max_steps=1),
        **settings,
    )


class Fixed(torch.nn.Module):
    """Hears given logits."""

    def __init__(self, logits, receptive_field=0):
        super().__init__()
        self.logits, self.receptive_field = logits, receptive_field

    def forward(self, waveform):
        return self.logits


def test_scores_are_means_over_scored_frames():
    """Two classes: the first frame is not scored, the others have 0.9, 0.9 and 0.2 for their phones."""
    right = torch.tensor([[math.nan, 0.9, 0.9, 0.2]])
    phones = torch.tensor([[0, 1, 0, 1, 1]])  # with a frame of lookahead
    first = torch.where(phones[:, :4] == 0, right, 1 - right)
    logits = torch.stack([first, 1 - first], 1).log()
    mask = torch.arange(160)[None] >= 40
    batch = Batch(torch.zeros(1, 160), SpeechContext(), mask)
    scores = module_of(phones, Fixed(logits)).scores(batch)
    expected = -(2 * math.log(0.9) + math.log(0.2)) / 3
    assert scores["cross_entropy_nats"].item() == pytest.approx(expected)
    assert scores["accuracy"].item() == pytest.approx(2 / 3)
    # The last two frames need samples after the window.
    scores = module_of(phones, Fixed(logits, receptive_field=41)).scores(batch)
    assert scores["cross_entropy_nats"].item() == pytest.approx(-math.log(0.9))


def test_it_learns_to_tell_tones_apart():
    time_s = torch.arange(4000) / 8000
    phones = torch.arange(100)[None] // 25 % 2
    frequency_hz = torch.where(phones == 0, 500.0, 1500.0).repeat_interleave(40, -1)
    waveform = 0.1 * torch.sin(2 * math.pi * frequency_hz * time_s)
    classifier = PhoneClassifier(
        num_phones=2, sample_rate=8000, hop_samples=40, num_filters=8, channels=8, num_layers=1
    )
    module = module_of(phones, classifier)
    batch = Batch(waveform, SpeechContext(), torch.ones(1, 4000, dtype=torch.bool))
    optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        module.scores(batch)["cross_entropy_nats"].backward()
        optimizer.step()
    assert module.scores(batch)["accuracy"] > 0.95


def run_classifier(config, corpus):
    fill_in_voice(config, corpus)
    fill_in_phones(config, corpus)
    return train_classifier(config, corpus, open_run(config))


def test_a_killed_and_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    make_config, killed_at, mini_corpus, tmp_path, monkeypatch
):
    words = [*SMALL, f"corpus.directory={mini_corpus.directory}"]
    whole = run_classifier(make_config("classifier", *words, f"run={tmp_path / 'whole'}"), mini_corpus)
    assert whole.output[-1].out_channels == len(mini_corpus.encoder.layout.phones)
    with monkeypatch.context() as patch:
        killed_at(patch, step=5, save_at=4)
        with pytest.raises(RuntimeError, match="power cut"):
            run_classifier(make_config("classifier", *words, f"run={tmp_path / 'killed'}"), mini_corpus)
    config = resume_config(make_config("classifier", f"resume={tmp_path / 'killed'}"))
    run_classifier(config, mini_corpus)
    one, other = (load_file(tmp_path / name / "classifier.safetensors") for name in ("whole", "killed"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)

import math

import pytest
import torch

from wavegen.evaluation.speech.likelihood import (
    another_context,
    tally_bits,
    tally_divergence,
    tally_linear_predictor,
)
from wavegen.evaluation.tally import Tally
from wavegen.linguistics.context import SpeechContext
from wavegen.metrics import LinearPredictor
from wavegen.runs.voice import load_voice


def test_teacher_bits_are_its_own_log_prob(evaluation, corpus, run_directory):
    teacher = load_voice(run_directory).teacher
    total, count = 0.0, 0
    for utterance in corpus.utterances("test"):
        context = SpeechContext.collate([utterance.context])
        total -= teacher(context).log_prob(utterance.waveform[None]).item() / math.log(2)
        count += len(utterance.waveform)
    assert evaluation.metrics["teacher/bits_per_sample"] == pytest.approx(total / count, rel=1e-4)


def test_gap_is_the_difference_and_divergence_the_difference_of_its_terms(evaluation):
    m = evaluation.metrics
    gap = m["teacher/bits_per_sample_shuffled"] - m["teacher/bits_per_sample"]
    assert m["teacher/shuffled_gap_bits"] == pytest.approx(gap, abs=1e-9)
    terms = m["student/cross_entropy_nats_per_sample"] - m["student/entropy_nats_per_sample"]
    assert m["student/kl_nats_per_sample"] == pytest.approx(terms, abs=1e-5)
    assert m["student/kl_nats_per_sample"] > 0


def test_an_only_utterance_is_shuffled_against_itself(corpus):
    first, second = corpus.utterances("test")
    num_frames = first.context["voiced"].shape[-1]
    other = another_context([first, second], 0)
    alone = another_context([first], 0)
    for wrong in (other, alone):
        assert wrong["features"].shape == first.context["features"].shape
        assert wrong["voiced"].shape == (num_frames,)
        assert not torch.equal(wrong["features"], first.context["features"])


def test_a_teacher_that_does_not_listen_has_no_gap(corpus):
    class Deaf(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(0.0))

        def conditionals(self, x, context):
            return torch.distributions.Normal(torch.zeros_like(x), 0.5)

    tally, utterances = Tally(), list(corpus.utterances("test"))
    tally_bits("teacher", Deaf(), utterances, corpus.sample_rate, tally)
    assert [value for value, _ in tally.entries("teacher/shuffled_gap_bits")] == [0.0, 0.0]
    for (value, weight), utterance in zip(tally.entries("teacher/bits_per_sample"), utterances, strict=True):
        log_prob = torch.distributions.Normal(0, 0.5).log_prob(utterance.waveform).double()
        assert value == pytest.approx(-log_prob.mean().item() / math.log(2), rel=1e-5)
        assert weight == len(utterance.waveform)


def test_contexts_are_repeated_or_cut_to_the_right_length(corpus):
    first, second = corpus.utterances("test")
    for index, (own, other) in enumerate([(first, second), (second, first)]):
        found = another_context([first, second], index)
        size, period = own.context.num_frames, other.context.num_frames
        expected = other.context["features"][:, torch.arange(size) % period]
        assert torch.equal(found["features"], expected)


def test_a_linear_predictor_is_fitted_on_train_and_tallied_on_test(corpus):
    tally, utterances = Tally(), list(corpus.utterances("test"))
    tally_linear_predictor(corpus.utterances("train"), utterances, corpus.sample_rate, tally)
    predictor = LinearPredictor.fit([u.waveform for u in corpus.utterances("train")], order=32)
    for (value, weight), utterance in zip(
        tally.entries("linear_predictor/bits_per_sample"), utterances, strict=True
    ):
        expected = -predictor.log_prob(utterance.waveform).mean().item() / math.log(2)
        assert value == pytest.approx(expected) and weight == len(utterance.waveform)


def test_the_divergence_is_the_seeds_and_leaves_the_callers_noise_alone(corpus, run_directory):
    voice, utterances = load_voice(run_directory), list(corpus.utterances("test"))[:1]

    def kl(seed):
        tally = Tally()
        tally_divergence(voice.student, voice.teacher, utterances, seed, tally, num_draws=2)
        return tally.entries("student/kl_nats_per_sample")

    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert kl(0) == kl(0) != kl(1)
    assert torch.equal(torch.rand(1), expected)

"""What every training of a voice takes from the corpus."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from wavegen.data.speech.segments import SegmentStream
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.runs.weights import build_model
from wavegen.training.speech_stage import facts_of, fill_in_voice, margins, plain, recordings
from wavegen.training.speech_stages import teacher_config
from wavegen.untrusted.parts import restore


def test_the_voice_s_facts_are_the_corpus_s(compose_config, mini_corpus):
    config = compose_config("teacher")
    fill_in_voice(config, mini_corpus)
    layout = mini_corpus.encoder.layout
    assert plain(config.voice) == {
        "sample_rate": 8000,
        "hop_samples": 40,
        "num_features": layout.num_features,
    }
    facts = facts_of(mini_corpus)
    assert (facts["sample_rate"], facts["hop_samples"]) == (8000, 40)
    assert restore(facts["front_end"], FrontEnd, "x.json") == mini_corpus.front_end


def test_a_plain_configuration_has_its_interpolations_resolved(compose_config, mini_corpus):
    config = compose_config("teacher")
    fill_in_voice(config, mini_corpus)
    parts = plain(config.teacher)["wavenet"]["conditioning"]
    assert parts[0]["in_channels"] == mini_corpus.encoder.layout.num_features


def test_recordings_are_the_first_of_the_training_part(mini_corpus):
    first, second = recordings(mini_corpus, limit=2)
    cuts = list(mini_corpus.cuts("train"))
    for cut, waveform in zip(cuts[:2], (first, second), strict=True):
        np.testing.assert_array_equal(mini_corpus.load(cut)[0], waveform)


@pytest.mark.parametrize("choice", ["none", "default"])
def test_a_teacher_has_the_same_density_in_a_segment_as_in_the_whole_utterance(
    compose_config, mini_corpus, choice
):
    """The filter of a frame depends on the features around it, and so do those of the past that is read."""
    config = compose_config("teacher", f"source_filter={choice}")
    fill_in_voice(config, mini_corpus)
    torch.manual_seed(0)
    teacher = build_model(teacher_config(config), source="teacher").double().eval()
    for parameter in teacher.parameters():  # so that every feature counts
        parameter.data += 0.1 * torch.randn_like(parameter)
    around = margins(teacher, hop_samples=mini_corpus.hop_samples)
    stream = SegmentStream(
        corpus=mini_corpus, split="train", segment_samples=800, batch_size=1, seed=0, **around
    )

    def nats(waveform, context):
        waveform = waveform[None].double()
        with torch.no_grad():
            return teacher.conditionals(waveform, context.to(torch.float64)).log_prob(waveform)[0]

    compared = 0
    for index in range(12):
        batch, rng = stream.batch(index), np.random.default_rng([0, 0, index])
        audio, frames = stream.draws.draw(rng, index)
        start = int(rng.integers(0, len(frames) - stream.segment_frames + 1)) * mini_corpus.hop_samples
        context = SpeechContext.collate([mini_corpus.encoder.encode(frames)])
        whole = nats(torch.from_numpy(audio), context)
        here = nats(batch.waveform[0], batch.context)[batch.mask[0]]
        torch.testing.assert_close(here, whole[start : start + 800], rtol=0, atol=1e-6)
        compared += len(here)
    assert compared == 12 * 800


def test_margins_are_the_widest_of_all_models():
    filters = SimpleNamespace(past_samples=700, lookahead_frames=9)
    net = SimpleNamespace(receptive_field=900)
    assert margins(filters, net, hop_samples=80) == {"past_samples": 980, "lookahead_frames": 9}
    assert margins(net, hop_samples=80) == {"past_samples": 980, "lookahead_frames": 1}

import math
from types import SimpleNamespace

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from wavegen.metrics.level import level_rms
from wavegen.training.spoken_samples import SpokenSamples, mean


def test_the_mean_is_that_of_the_finite_ones():
    assert mean(iter([1.0, math.nan, 3.0])) == 2.0
    assert math.isnan(mean([math.nan])) and math.isnan(mean([]))


class Echo:
    """Says the recordings at half their level."""

    device = torch.device("cpu")

    def __init__(self, samples):
        self.samples, self.logged, self.asked = samples, [], []

    def speak(self, context, lengths, generator):
        self.asked.append((lengths.tolist(), generator.initial_seed()))
        longest = int(lengths.max())
        padded = [torch.nn.functional.pad(w, (0, longest - len(w))) for w in self.samples.recordings]
        return 0.5 * torch.stack(padded)

    def log_dict(self, values, rank_zero_only):
        assert rank_zero_only
        self.logged.append(values)


@pytest.fixture
def trainer(tmp_path):
    writer = SummaryWriter(tmp_path)
    yield SimpleNamespace(
        is_global_zero=True, world_size=1, global_step=7, logger=SimpleNamespace(experiment=writer)
    )
    writer.close()


def test_the_beginnings_of_dev_utterances_are_whole_frames(mini_corpus):
    samples = SpokenSamples(corpus=mini_corpus, num_utterances=2, max_duration_s=0.102)
    utterances = list(mini_corpus.utterances("dev"))
    assert samples.lengths.tolist() == [800, 800]
    for recording, voiced, utterance in zip(samples.recordings, samples.voiced, utterances, strict=True):
        assert torch.equal(recording, utterance.waveform[:800])
        assert torch.equal(voiced, utterance.context["voiced"][:20])
    whole = SpokenSamples(corpus=mini_corpus, num_utterances=9, max_duration_s=99)
    assert whole.lengths.tolist() == [len(utterance.waveform) for utterance in utterances]


def test_levels_are_taken_where_the_recording_is_voiced(mini_corpus, trainer):
    samples = SpokenSamples(corpus=mini_corpus, num_utterances=2, max_duration_s=0.6, seed=5)
    module = Echo(samples)
    samples.on_validation_epoch_end(trainer, module)
    (logged,) = module.logged
    expected = mean(level_rms(w, v > 0.5) for w, v in zip(samples.recordings, samples.voiced, strict=True))
    assert logged["spoken/recording_level"] == pytest.approx(expected)
    assert logged["spoken/speech_level"] == pytest.approx(expected / 2)
    assert logged["spoken/speech_harmonicity_db"] == pytest.approx(
        logged["spoken/recording_harmonicity_db"], abs=0.1
    )
    assert module.asked == [(samples.lengths.tolist(), 5)]


def test_every_nth_validation_is_spoken_over_resumptions(mini_corpus, trainer):
    def spoken(samples, validations):
        module = Echo(samples)
        for _ in range(validations):
            samples.on_validation_epoch_end(trainer, module)
        return len(module.asked)

    settings = {"corpus": mini_corpus, "num_utterances": 1, "max_duration_s": 0.1, "every_num_validations": 3}
    first, second = SpokenSamples(**settings), SpokenSamples(**settings)
    assert spoken(first, 5) == 1
    second.load_state_dict(first.state_dict())
    assert spoken(second, 1) == 1
    trainer.is_global_zero = False
    assert spoken(SpokenSamples(**settings), 6) == 0

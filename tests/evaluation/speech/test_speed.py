"""The beginnings that are timed, by a clock that moves as each system costs."""

from types import SimpleNamespace

import pytest
import torch

from wavegen.evaluation.speech import speed
from wavegen.evaluation.speech.speed import samples_per_second, uncached_samples_per_second
from wavegen.runs.voice import load_voice


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(seconds=0.0)
    clock.perf_counter = lambda: clock.seconds
    monkeypatch.setattr(speed, "time", clock)
    return clock


class Costs:
    """Speaks at a rate, after so many seconds of preparation the first time."""

    name = "costs"

    def __init__(self, clock, rate, first_s=0.0):
        self.clock, self.rate, self.first_s, self.lengths = clock, rate, first_s, []

    def synthesize(self, utterances):
        (utterance,) = utterances
        self.lengths.append(utterance.waveform.shape[-1])
        self.clock.seconds += self.lengths[-1] / self.rate + (self.first_s if len(self.lengths) == 1 else 0)
        return [utterance.waveform]


@pytest.fixture
def utterance(corpus):
    return next(corpus.utterances("test"))


def test_beginnings_grow_fourfold_within_the_time(clock, utterance):
    system = Costs(clock, rate=1000, first_s=50.0)
    rate = samples_per_second(system, utterance, 40, max_seconds=2.0)
    # 640 samples take 0.64 s, and four times that is more than two seconds
    assert system.lengths == [40, 160, 640] and rate == pytest.approx(1000)


def test_a_fast_system_speaks_the_whole_utterance(clock, utterance):
    system = Costs(clock, rate=1e9)
    assert samples_per_second(system, utterance, 40) == pytest.approx(1e9)
    assert system.lengths[-1] == len(utterance.waveform)


def test_compilation_does_not_count_even_for_a_slow_system(clock, utterance):
    system = Costs(clock, rate=1.0, first_s=100.0)
    assert samples_per_second(system, utterance, 40) == pytest.approx(1.0)
    assert system.lengths == [40, 160]


def test_without_states_every_sample_costs_a_pass_over_the_receptive_field(
    clock, corpus, run_directory, utterance, monkeypatch
):
    teacher, seen = load_voice(run_directory).teacher, []
    whole = type(teacher).conditionals

    def conditionals(self, x, context):
        seen.append(x.shape)
        clock.seconds += 100.0 if len(seen) == 1 else 0.5
        return whole(self, x, context)

    monkeypatch.setattr(type(teacher), "conditionals", conditionals)
    assert uncached_samples_per_second(teacher, utterance, corpus.hop_samples, max_steps=4) == pytest.approx(
        2.0
    )
    assert len(seen) == 5 and set(seen) == {(1, teacher.receptive_field)}
    seen.clear()
    uncached_samples_per_second(teacher, utterance, corpus.hop_samples, max_seconds=1.0)
    assert len(seen) == 3, "none is begun behind the time, and the first does not count"
    assert isinstance(teacher, torch.nn.Module)

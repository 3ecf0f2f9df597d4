import pytest
import torch

from wavegen.audio.world import has_world
from wavegen.evaluation.speech.systems import (
    Recording,
    Shuffled,
    Student,
    Teacher,
    WhiteNoise,
    baselines,
    seed_of,
)
from wavegen.evaluation.speech.test_set import beginning
from wavegen.runs.voice import load_voice


def test_systems_follow_their_seed_and_keep_the_level(corpus, run_directory):
    utterances = list(corpus.utterances("test"))
    student = load_voice(run_directory).student
    for make in (lambda seed: WhiteNoise(seed=seed), lambda seed: Student(student, seed=seed)):
        one, same, other = (make(seed).synthesize(utterances) for seed in (1, 1, 2))
        assert torch.equal(one[0], same[0]) and not torch.equal(one[0], other[0])
    (recording,) = Recording().synthesize(utterances[:1])
    (noise,) = WhiteNoise(seed=0).synthesize(utterances[:1])
    assert noise.std() == pytest.approx(recording.std().item(), rel=0.05)


def test_every_system_has_a_name_and_is_as_long_as_the_recording(corpus, run_directory):
    utterances = [
        beginning(u, 2000 * (i + 1), corpus.hop_samples) for i, u in enumerate(corpus.utterances("test"))
    ]
    voice = load_voice(run_directory)
    systems = [
        Recording(),
        Teacher(voice.teacher, seed=0),
        Student(voice.student, seed=0),
        *baselines(corpus.sample_rate, 0),
    ]
    names = ["recording", "teacher", "student", "world", "griffin_lim", "shuffled", "white_noise"]
    assert [s.name for s in systems] == [name for name in names if name != "world" or has_world()]
    for system in systems:
        waveforms = system.synthesize(utterances)
        assert [w.shape for w in waveforms] == [(2000,), (4000,)]
        assert all(w.isfinite().all() for w in waveforms)


def test_noise_is_that_of_the_utterance_whoever_speaks_beside_it(corpus):
    first, second = corpus.utterances("test")
    assert seed_of(first, 0) == seed_of(first, 0)
    assert len({seed_of(first, 0), seed_of(second, 0), seed_of(first, 1)}) == 3
    together, alone = WhiteNoise(seed=2).synthesize([first, second]), WhiteNoise(seed=2).synthesize([second])
    assert torch.equal(together[1], alone[0])


def test_the_temperature_is_the_students_noise(corpus, run_directory):
    student = load_voice(run_directory).student
    utterances = [beginning(next(corpus.utterances("test")), 400, corpus.hop_samples)]
    calm, again = (Student(student, seed=seed, temperature=0.0).synthesize(utterances)[0] for seed in (0, 1))
    torch.testing.assert_close(calm, again)
    assert not torch.equal(calm, Student(student, seed=0).synthesize(utterances)[0])


def test_another_sentence_is_the_next_recording_repeated_or_cut(corpus):
    first, second = corpus.utterances("test")
    first, second = (beginning(*pair, corpus.hop_samples) for pair in ((first, 400), (second, 240)))
    long, short = Shuffled().synthesize([first, second])
    assert torch.equal(long, torch.cat([second.waveform, second.waveform[:160]]))
    assert torch.equal(short, first.waveform[:240])
    (alone,) = Shuffled().synthesize([first])
    assert torch.equal(alone, torch.cat([first.waveform[200:], first.waveform[:200]]))


def test_a_source_filter_model_speaks_each_utterance_at_its_length(corpus, make_source_filter):
    model = make_source_filter(corpus.hop_samples, corpus.encoder.layout.num_features).float()
    utterances = list(corpus.utterances("test"))
    first, again = (
        Student(model.voice, seed=0, name="source_filter").synthesize(utterances) for _ in range(2)
    )
    assert [len(waveform) for waveform in first] == [len(utterance.waveform) for utterance in utterances]
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    other = Student(model.voice, seed=1).synthesize(utterances)
    assert not torch.equal(first[0], other[0])

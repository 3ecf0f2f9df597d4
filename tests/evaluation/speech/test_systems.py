import pytest
import torch

from wavegen.evaluation.speech.systems import GriffinLim, Recording, Student, Teacher, WhiteNoise, seed_of
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
        beginning(u, 400 * (i + 1), corpus.hop_samples) for i, u in enumerate(corpus.utterances("test"))
    ]
    voice = load_voice(run_directory)
    systems = [
        Recording(),
        GriffinLim(sample_rate=corpus.sample_rate, seed=0),
        WhiteNoise(seed=0),
        Teacher(voice.teacher, seed=0),
        Student(voice.student, seed=0),
    ]
    assert [s.name for s in systems] == ["recording", "griffin_lim", "white_noise", "teacher", "student"]
    for system in systems:
        waveforms = system.synthesize(utterances)
        assert [w.shape for w in waveforms] == [(400,), (800,)] and all(w.isfinite().all() for w in waveforms)


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

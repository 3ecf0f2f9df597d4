"""What speaks in the benchmark: which subjects there are, and that each does the work it is timed for."""

import pytest
import torch

from wavegen.benchmark import speakers
from wavegen.benchmark.nets import make_context, make_student, make_teacher
from wavegen.benchmark.plain import PlainWaveNet
from wavegen.benchmark.speakers import (
    engine_granule,
    parallel_student,
    plain_student,
    sequential_teacher,
    student_subjects,
    teacher_subjects,
    uncached_teacher,
)
from wavegen.engines.precision import PRECISIONS
from wavegen.errors import UserError
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.reference import ReferenceSampler

LABELS = {"subject": "a speaker", "precision": "float32", "batch_size": 1}


class Recorded:
    """A sampler that keeps what it was asked for and what it spoke."""

    def __init__(self, sampler):
        self.sampler, self.lengths, self.spoken = sampler, [], []

    def sample(self, context, lengths, *, generator):
        self.lengths.append(lengths.tolist())
        self.spoken.append(self.sampler.sample(context, lengths, generator=generator))
        return self.spoken[-1]


@pytest.fixture
def teacher(small_config):
    return make_teacher(small_config["teacher"], small_config["conditioning"], seed=0)


@pytest.fixture
def student(small_config):
    return make_student(small_config["student"], small_config["conditioning"], seed=0, wavenet=PlainWaveNet)


def described(subjects):
    keys = ("subject", "precision", "batch_size")
    return [(*(subject.labels[key] for key in keys), subject.threads) for subject in subjects]


def test_the_teacher_speaks_in_every_way(small_config):
    found = described(teacher_subjects(small_config, 2))
    expected = [("teacher, uncached", "float32", 1, 2)]
    expected += [("teacher, PyTorch step", "float32", batch, 2) for batch in (1, 3)]
    expected += [
        ("teacher, engine", precision, batch, threads)
        for threads in (1, 2)
        for batch in (1, 3)
        for precision in PRECISIONS
    ]
    assert found == expected


def test_nothing_is_measured_twice_where_there_is_one_thread_and_no_batch(small_config):
    found = described(teacher_subjects({**small_config, "batch_size": 1}, 1))
    assert len(found) == len(set(found)) == 2 + len(PRECISIONS)
    found = described(student_subjects(small_config, 1))
    assert len(found) == len(set(found))


def test_the_student_speaks_in_every_way_that_the_cpu_multiplies(small_config, monkeypatch):
    monkeypatch.setattr(speakers, "of_torch", lambda *_: ("float32", "bfloat16"))
    monkeypatch.setattr(speakers, "of_student", lambda: ("float32",))
    assert described(student_subjects(small_config, 2)) == [
        ("student, one pass of conv1d", "float32", 1, 2),
        ("student, one pass of conv1d", "bfloat16", 1, 2),
        ("student, engine", "float32", 1, 2),
        ("student, engine", "float32", 1, 1),
    ]


def test_every_subject_speaks(small_config, monkeypatch):
    """As many samples as are asked for, and no constant."""
    spoken = []
    monkeypatch.setattr(speakers, "check_sound", lambda waveform, title: spoken.append(waveform) or waveform)
    subjects = [*teacher_subjects(small_config, 1)[:3], *student_subjects(small_config, 1)[:1]]
    for subject in subjects:
        subject.run(subject.granule)
    assert len(spoken) == len(subjects)
    for subject, waveform in zip(subjects, spoken, strict=True):
        assert waveform.numel() == subject.items * subject.granule
        assert waveform.isfinite().all() and waveform.unique().numel() > 0.9 * waveform.numel()


def test_a_batch_counts_every_utterance(small_config, teacher):
    recorded = Recorded(ReferenceSampler(teacher))
    subject = sequential_teacher(recorded, {**LABELS, "batch_size": 3}, small_config, 1)
    assert subject.items == 3 and subject.granule == small_config["conditioning"]["hop_samples"]
    subject.run(16)
    assert recorded.lengths == [[16, 16, 16]] and recorded.spoken[0].shape == (3, 16)


def test_every_call_speaks_the_same(small_config, teacher):
    recorded = Recorded(ReferenceSampler(teacher))
    subject = sequential_teacher(recorded, LABELS, small_config, 1)
    subject.run(8)
    torch.rand(3)
    subject.run(8)
    assert torch.equal(*recorded.spoken)


def test_an_engine_speaks_a_tenth_of_a_second_at_least_and_ten_seconds_at_most(small_config, teacher):
    assert engine_granule(small_config) == 80
    assert engine_granule({"sample_rate": 3}) == 1
    subject = sequential_teacher(ReferenceSampler(teacher), LABELS, small_config, 1, 80)
    assert (subject.granule, subject.largest) == (80, 8000)


def test_the_uncached_teacher_passes_its_receptive_field_for_every_sample(small_config, teacher):
    seen = []
    teacher.conditioner.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].shape))
    subject = uncached_teacher(teacher, small_config, 1)
    subject.run(3)
    assert seen == [(1, teacher.receptive_field)] * 3
    assert subject.items == subject.granule == 1


def test_utterances_are_whole_or_part_of_one(small_config, student):
    """Of 0.1 s at 800 Hz and hops of 8: 80 samples."""
    lengths = []

    class Listening(ParallelSampler):
        def sample(self, context, counts, **options):
            lengths.append(int(counts))
            return torch.randn(1, int(counts))

    subject = parallel_student(Listening(student), LABELS, small_config | {"utterance_s": 0.203}, 1)
    assert (subject.whole, subject.granule) == (160, 80)
    subject.run(80)
    subject.run(160)
    subject.run(480)
    assert lengths == [80, 160, 160, 160, 160]


def test_the_plain_student_speaks_the_law_of_its_noise(small_config, student, monkeypatch):
    heard = []
    check = speakers.check_sound
    monkeypatch.setattr(speakers, "check_sound", lambda sound, what: heard.append(check(sound, what)))
    plain_student(student, "float32", small_config, 1).run(80)
    with torch.no_grad():
        noise = student.noise((1, 80), torch.Generator().manual_seed(0))
        expected = student.rsample_with_conditionals(noise, make_context(small_config["conditioning"], 80))[0]
    torch.testing.assert_close(heard[0], expected)


def test_bfloat16_is_autocast_and_float32_is_not(small_config, student):
    for precision, expected in (("float32", False), ("bfloat16", True)):
        seen = []
        handles = [
            module.register_forward_pre_hook(
                lambda *_, seen=seen: seen.append(torch.is_autocast_enabled("cpu"))
            )
            for module in student.modules()
        ]
        plain_student(student, precision, small_config, 1).run(80)
        for handle in handles:
            handle.remove()
        assert set(seen) == {expected}


def test_a_speaker_without_sound_is_named(small_config, teacher):
    class Silent:
        def sample(self, context, lengths, *, generator):
            return torch.zeros(len(lengths), int(lengths.max()))

    subject = sequential_teacher(Silent(), LABELS, small_config, 1)
    with pytest.raises(UserError, match="a speaker made a waveform that is not finite or is constant"):
        subject.run(8)

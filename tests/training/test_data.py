import itertools

import pytest
import torch

from wavegen.training.data import Counting, SegmentData, StepNumbers


def segments(corpus, **changes):
    settings = {"segment_s": 0.052, "past_samples": 11, "batch_size": 2, "seed": 0, "num_workers": 0}
    return SegmentData(corpus=corpus, **{**settings, **changes})


@pytest.mark.parametrize(("segment_s", "frames"), [(0.052, 10), (0.053, 11), (0.0, 1), (0.1, 20)])
def test_segments_are_whole_frames_and_at_least_one(mini_corpus, segment_s, frames):
    data = segments(mini_corpus, segment_s=segment_s)
    assert data.stream["segment_samples"] == frames * mini_corpus.hop_samples


def first(data, count=3):
    return [batch.waveform for batch in itertools.islice(data.val_dataloader(), count)]


def test_dev_segments_are_the_same_in_every_run(mini_corpus):
    one, other = first(segments(mini_corpus, seed=0)), first(segments(mini_corpus, seed=7))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(one[0], one[1]) and len(one[0]) == 2


class Trainer:
    def __init__(self, step, rank=0, accumulate=1):
        self.global_step, self.global_rank, self.accumulate_grad_batches = step, rank, accumulate


def train_batches(corpus, step, count, accumulate=1, **changes):
    data = segments(corpus, **changes)
    data.trainer = Trainer(step, accumulate=accumulate)
    return [batch.waveform for batch in itertools.islice(data.train_dataloader(), count)]


def test_training_segments_follow_the_trainers_step_and_the_seed(mini_corpus):
    whole, later = train_batches(mini_corpus, 0, 4), train_batches(mini_corpus, 2, 2)
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], later, strict=True))
    assert not torch.equal(whole[0], train_batches(mini_corpus, 0, 1, seed=1)[0])


def test_a_step_of_several_batches_goes_on_behind_all_of_them(mini_corpus):
    whole, later = train_batches(mini_corpus, 0, 8), train_batches(mini_corpus, 2, 2, accumulate=3)
    assert all(torch.equal(a, b) for a, b in zip(whole[6:], later, strict=True))


def test_steps_are_numbered_from_zero_without_end():
    assert list(itertools.islice(Counting(), 3)) == [0, 1, 2]
    assert [int(number) for number in itertools.islice(StepNumbers().train_dataloader(), 3)] == [0, 1, 2]


def test_every_step_of_a_training_sees_its_number(fit_line):
    assert fit_line(max_steps=5).seen == [0, 1, 2, 3, 4]

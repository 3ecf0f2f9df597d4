"""Training segments: a function of (seed, rank, number) alone; real past; frames aligned with samples."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.data.speech.segments import Batch, SegmentStream, segment_loader
from wavegen.errors import UserError

HOP = 40


def stream(corpus, **options):
    settings = {"split": "train", "segment_samples": 10 * HOP, "past_samples": 75, "batch_size": 3, "seed": 1}
    return SegmentStream(corpus=corpus, **(settings | options))


def same(left: Batch, right: Batch) -> bool:
    return (
        torch.equal(left.waveform, right.waveform)
        and torch.equal(left.mask, right.mask)
        and left.context.keys() == right.context.keys()
        and all(torch.equal(left.context[key], right.context[key]) for key in left.context)
    )


@pytest.mark.parametrize("num_workers", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_batch_is_the_same_for_any_number_of_workers(mini_corpus, num_workers):
    batches = stream(mini_corpus, first_batch=4)
    loaded = list(itertools.islice(segment_loader(batches, num_workers), 5))
    for number, batch in enumerate(loaded, start=4):
        assert same(batch, stream(mini_corpus).batch(number))


def test_a_resumed_stream_goes_on_where_it_stood(mini_corpus):
    whole = list(itertools.islice(stream(mini_corpus), 5))
    resumed = list(itertools.islice(stream(mini_corpus, first_batch=3), 2))
    assert all(same(left, right) for left, right in zip(whole[3:], resumed, strict=True))


def test_seed_rank_and_number_each_matter(mini_corpus):
    first = stream(mini_corpus).batch(0)
    assert same(first, stream(mini_corpus).batch(0))
    assert not same(first, stream(mini_corpus).batch(1))
    assert not same(first, stream(mini_corpus, rank=1).batch(0))
    assert not same(first, stream(mini_corpus, seed=2).batch(0))


@pytest.fixture(scope="module")
def utterances(mini_corpus):
    return {split: list(mini_corpus.utterances(split)) for split in ("train", "dev")}


def places(utterances, scored):
    """Every utterance and first sample at which a piece of waveform lies: sentences may begin alike."""
    found = []
    for utterance in utterances:
        whole = utterance.waveform.numpy()
        starts = range(0, len(whole) - len(scored) + 1, HOP)
        same = [start for start in starts if np.array_equal(whole[start : start + len(scored)], scored)]
        found += [(utterance, start) for start in same]
    return found


def members(batch):
    for index, (waveform, mask) in enumerate(zip(batch.waveform, batch.mask, strict=True)):
        yield waveform, mask, {key: value[index] for key, value in batch.context.items()}


def fits(waveform, mask, context, utterance, start, segment_frames, past_frames):
    whole, frames = utterance.waveform, utterance.context["voiced"].shape[-1]
    first = max(start - past_frames * HOP, 0)  # the window begins with the utterance where its past is short
    length = (past_frames + segment_frames) * HOP
    inside = min(segment_frames * HOP, len(whole))
    window = torch.cat([whole, torch.zeros(length)])[first : first + length]
    # features of every frame and of one more; beyond the utterance's end the last is repeated
    numbers = torch.arange(first // HOP, first // HOP + past_frames + segment_frames + 1).clamp(
        max=frames - 1
    )
    return (
        mask.nonzero().squeeze(-1).tolist() == list(range(start - first, start - first + inside))
        and torch.equal(waveform, window)
        and all(torch.equal(context[key], value[..., numbers]) for key, value in utterance.context.items())
    )


def assert_true_to_utterances(utterances, batch, segment_frames, past_samples):
    past_frames = -(-past_samples // HOP)
    samples = (past_frames + segment_frames) * HOP
    assert batch.waveform.shape == batch.mask.shape == (len(batch.waveform), samples)
    for waveform, mask, context in members(batch):
        candidates = places(utterances, waveform[mask].numpy())
        assert candidates, "the segment is in no utterance"
        assert any(fits(waveform, mask, context, *place, segment_frames, past_frames) for place in candidates)


@settings(max_examples=15)
@given(
    segment_frames=st.integers(4, 60),
    past_samples=st.integers(0, 900),
    batch_size=st.integers(1, 3),
    number=st.integers(0, 10_000),
)
def test_real_past_and_aligned_features(
    mini_corpus, utterances, segment_frames, past_samples, batch_size, number
):
    batches = stream(
        mini_corpus,
        segment_samples=segment_frames * HOP,
        past_samples=past_samples,
        batch_size=batch_size,
    )
    assert_true_to_utterances(utterances["train"], batches.batch(number), segment_frames, past_samples)


def test_a_segment_longer_than_the_utterance_holds_all_of_it(mini_corpus, utterances):
    batch = stream(mini_corpus, segment_samples=1000 * HOP, batch_size=1).batch(0)
    assert_true_to_utterances(utterances["train"], batch, 1000, 75)
    lengths = [len(utterance.waveform) for utterance in utterances["train"]]
    assert int(batch.mask.sum()) in lengths


def test_starts_and_utterances_vary(mini_corpus, utterances):
    batch = stream(mini_corpus, segment_samples=40 * HOP, batch_size=40).batch(0)
    found = [places(utterances["train"], waveform[mask].numpy())[0] for waveform, mask, _ in members(batch)]
    assert len({utterance.id for utterance, _ in found}) == mini_corpus.sizes["train"]
    assert len({start for _, start in found}) > 10


def test_dev_segments_come_from_the_dev_split(mini_corpus, utterances):
    batch = stream(mini_corpus, split="dev", segment_samples=60 * HOP).batch(0)
    for waveform, mask, _ in members(batch):
        assert places(utterances["dev"], waveform[mask].numpy())


@pytest.mark.parametrize("samples", [0, -HOP, HOP + 1])
def test_a_segment_is_a_whole_number_of_frames(mini_corpus, samples):
    with pytest.raises(UserError, match=f"positive multiple of the 40 samples of a frame, got {samples}"):
        stream(mini_corpus, segment_samples=samples)


def test_a_batch_moves_as_a_whole(mini_corpus):
    batch = stream(mini_corpus).batch(0)
    moved = batch.to(torch.device("meta"))
    assert {moved.waveform.device.type, moved.mask.device.type} == {"meta"}
    assert all(value.device.type == "meta" for value in moved.context.values())

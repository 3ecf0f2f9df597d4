"""The context of speech: what holds for any number of frames and utterances, and what is refused."""

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.errors import UserError
from wavegen.linguistics.context import SCHEMA, SpeechContext


def make(num_frames: int, speaker: int | None = 1) -> SpeechContext:
    entries = {
        "features": torch.randn(3, num_frames),
        "cycles": torch.rand(num_frames).cumsum(0),
        "voiced": (torch.rand(num_frames) > 0.5).float(),
    }
    return SpeechContext(**entries, **({} if speaker is None else {"speaker": torch.tensor(speaker)}))


def same(left: SpeechContext, right: SpeechContext) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4), speaker=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_batch_holds_every_utterance_and_repeats_its_last_frame(lengths, speaker):
    contexts = [make(length, index if speaker else None) for index, length in enumerate(lengths)]
    batch = SpeechContext.collate(contexts)
    assert batch.is_batch and batch.batch_size == len(lengths) and batch.num_frames == max(lengths)
    for row, (context, length) in enumerate(zip(contexts, lengths, strict=True)):
        alone = SpeechContext(**{name: value[row] for name, value in batch.items()})
        assert same(alone.cut(0, length), context)
        last = alone.cut(length - 1, length)["features"]
        assert torch.equal(alone["features"][:, length:], last.expand(-1, max(lengths) - length))


def test_cutting_taking_and_rolling_leave_what_has_no_frames():
    context = SpeechContext.collate([make(10, 4), make(10, 5)])
    cut = context.cut(3, 7)
    assert torch.equal(cut["features"], context["features"][..., 3:7])
    assert torch.equal(cut["speaker"], torch.tensor([4, 5])) and cut["cycles"].shape == (2, 4)
    assert same(context.take(torch.arange(3, 7)), cut)
    assert same(context.roll(4).cut(4, 10), context.cut(0, 6))
    assert context.roll(4)["speaker"].tolist() == [4, 5]


def test_a_shuffled_context_is_another_utterances_or_ones_own_from_elsewhere():
    context = SpeechContext.collate([make(6, 0), make(6, 1), make(6, 2)])
    assert same(context.shuffled(), context.select(torch.tensor([2, 0, 1])))
    alone = context.select(torch.tensor([1]))
    assert same(alone.shuffled(), alone.roll(3))
    assert not torch.equal(alone.shuffled()["features"], alone["features"])


def test_silence_has_what_a_model_reads():
    context = SpeechContext.zeros(num_features=7, num_frames=5, batch_size=2)
    assert context.num_frames == 5 and context.batch_size == 2
    assert context["features"].shape == (2, 7, 5) and context["voiced"].shape == (2, 5)
    assert set(context) == set(SCHEMA) - {"speaker"}


def test_only_numbers_change_their_precision():
    context = SpeechContext.collate([make(4)]).to(torch.float64)
    assert context["features"].dtype == torch.float64 and context["speaker"].dtype == torch.int64
    assert same(context.to("cpu"), context)


def test_it_goes_to_other_processes():
    context = make(5)
    assert same(pickle.loads(pickle.dumps(context)), context)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            {"mel": torch.zeros(1, 80, 5)},
            "no entry 'mel', expected one of features, cycles, voiced, speaker",
        ),
        ({"features": torch.zeros(3)}, r"features \(3,\), expected features \(features, frames\)"),
        ({"features": torch.zeros(2, 3, 5), "voiced": torch.ones(5)}, r"voiced \(5,\), expected"),
        ({"features": torch.zeros(3, 5), "voiced": torch.ones(6)}, "number of frames: .*5.*6"),
        ({"voiced": torch.ones(2, 5), "speaker": torch.zeros(3)}, "number of utterances: .*2.*3"),
    ],
)
def test_what_does_not_fit_is_refused(entries, message):
    with pytest.raises(UserError, match=message):
        SpeechContext(**entries)


def test_without_frames_there_is_no_number_of_them():
    with pytest.raises(UserError, match="has no frames"):
        _ = SpeechContext(speaker=torch.tensor([1])).num_frames

"""Draws of utterances: in proportion to length, from a window that moves, the same after a resumption."""

import itertools
import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from wavegen.data.speech.prepare import prepare_corpus
from wavegen.data.speech.segments import SegmentStream
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.data.speech.utterance_draws import WINDOW_SHARDS, AnyUtterance, ShardWindow, utterance_draws
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd


class ManyShards:
    """Shards of utterances that are only (shard, place) and a length; counts what is read."""

    def __init__(self, num_shards: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.lengths = [rng.integers(40, 400, 5) for _ in range(num_shards)]
        self.sizes = [(5, int(lengths.sum())) for lengths in self.lengths]
        self.read_shards: list[int] = []

    def read(self, number):
        self.read_shards.append(number)
        return [
            SimpleNamespace(id=(number, place), duration=length * 0.005)
            for place, length in enumerate(self.lengths[number])
        ]


def window(shards, **changes):
    corpus = SimpleNamespace(load=lambda cut: (cut.id,))  # a tuple, as the data of a cut
    return ShardWindow(corpus, shards, **{"batch_frames": 300, "seed": 0, "rank": 0} | changes)


def drawn(draws, batch, number=4):
    rng = np.random.default_rng([7, batch])
    return [draws.draw(rng, batch)[0] for _ in range(number)]


def test_an_utterance_is_drawn_in_proportion_to_its_length():
    shards = ManyShards(12)
    draws, counts, per_batch, num_epochs = window(shards), Counter(), 40, 6
    for batch in range(num_epochs * draws.total // 300):
        counts.update(drawn(draws, batch, per_batch))
    total = counts.total()
    for number, lengths in enumerate(shards.lengths):
        for place, length in enumerate(lengths):
            expected = total * length / draws.total
            # A batch draws from a window, which makes the counts of neighbours vary together.
            assert abs(counts[number, place] - expected) < 6 * math.sqrt(expected)


def test_a_batch_depends_on_seed_rank_and_number_alone():
    reference = {batch: drawn(window(ManyShards(30)), batch) for batch in (0, 5, 400, 2000)}
    walking = window(ManyShards(30))
    for batch in range(2001):
        found = drawn(walking, batch)
        assert batch not in reference or found == reference[batch]
    for change in ({"seed": 1}, {"rank": 1}):
        assert drawn(window(ManyShards(30), **change), 5, 40) != drawn(window(ManyShards(30)), 5, 40)


def test_only_the_shards_of_the_window_are_in_memory_and_each_is_read_about_once_an_epoch():
    shards = ManyShards(60)
    draws = window(shards)
    most, epochs = 0, 3
    for batch in range(epochs * draws.total // 300):
        drawn(draws, batch)
        most = max(most, len(draws._resident))
    least = min(frames for _, frames in shards.sizes)
    assert most <= draws.window / least + 2
    assert set(shards.read_shards) == set(range(60))
    # At the end of an epoch the window reaches around its ring, and the next one has another order.
    assert len(shards.read_shards) <= epochs * (60 + 2 * WINDOW_SHARDS + 4)


def test_epochs_and_processes_have_orders_of_their_own():
    draws = window(ManyShards(30))
    orders = [tuple(draws._ring(epoch)[0]) for epoch in (0, 1)]
    orders.append(tuple(window(ManyShards(30), rank=1)._ring(0)[0]))
    assert len(set(orders)) == 3 and all(sorted(order) == list(range(30)) for order in orders)


def test_a_part_of_few_shards_is_in_one_window():
    draws = window(ManyShards(3))
    assert draws.window == draws.total
    assert len({id_ for batch in range(40) for id_ in drawn(draws, batch)}) == 15


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharded")
    path = folder / "sentences.txt"
    path.write_text("".join(f"Number {number} is here.\n" for number in range(1, 15)))
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(path))
    return prepare_corpus(source, folder / "c", 8000, num_dev=1, num_test=1, num_jobs=1, shard_size=1)


def test_a_stream_of_shards_resumes_where_it_stood(sharded):
    settings = {"corpus": sharded, "split": "train", "segment_samples": 400, "past_samples": 75}
    settings |= {"batch_size": 2, "seed": 1}
    whole = list(itertools.islice(SegmentStream(**settings), 60))
    assert isinstance(SegmentStream(**settings).draws, ShardWindow)
    resumed = list(itertools.islice(SegmentStream(**settings, first_batch=57), 3))
    for left, right in zip(whole[57:], resumed, strict=True):
        np.testing.assert_array_equal(left.waveform, right.waveform)
        np.testing.assert_array_equal(left.context["features"], right.context["features"])
    assert isinstance(SegmentStream(**settings | {"split": "dev"}).draws, AnyUtterance)


def test_an_empty_part_is_refused(mini_corpus, monkeypatch):
    monkeypatch.setattr(type(mini_corpus), "cuts", lambda self, split: [])
    with pytest.raises(UserError, match="no utterances in the split 'train'"):
        utterance_draws(mini_corpus, "train", batch_frames=10, seed=0, rank=0)

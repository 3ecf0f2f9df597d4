from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.data.speech.prepare import split_ids


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(0, 30), st.integers(0, 30), st.integers(0, 5))
def test_splits_are_seeded_disjoint_and_never_empty(number, num_dev, num_test, seed):
    ids = [f"u{i}" for i in range(number)]
    splits = split_ids(ids, seed, num_dev, num_test)
    assert splits == split_ids(ids[::-1], seed, num_dev, num_test)
    assert all(splits.values())
    assert {id_ for split in splits.values() for id_ in split} == {*ids}
    if number >= 3:
        assert sum(map(len, splits.values())) == number
        assert len(splits["train"]) >= len(splits["dev"])


def test_small_corpora_serve_every_split():
    assert split_ids(["a"], 0, 1, 1) == {"train": ["a"], "dev": ["a"], "test": ["a"]}
    two = split_ids(["a", "b"], 0, 1, 1)
    assert two["dev"] == two["test"] != two["train"] and {*two["dev"], *two["train"]} == {"a", "b"}


def test_dev_and_test_take_at_most_a_third_and_at_least_one():
    ids = [f"u{i}" for i in range(10)]
    sizes = {name: len(chosen) for name, chosen in split_ids(ids, 0, 100, 0).items()}
    assert sizes == {"train": 6, "dev": 3, "test": 1}


def test_another_seed_is_another_split_and_each_is_sorted():
    ids = [f"u{i:02d}" for i in range(30)]
    one, other = split_ids(ids, 0, 5, 5), split_ids(ids, 1, 5, 5)
    assert one != other
    assert all(chosen == sorted(chosen) for chosen in one.values())

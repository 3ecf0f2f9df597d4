import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegen.linguistics.phones import (
    EN_US_PHONES,
    SILENCE,
    UNKNOWN,
    TimedPhone,
    lengthen_short_phones,
    mean_phone_duration_s,
    merge_silences,
)


def test_the_inventory_starts_with_silence_and_the_unknown():
    assert EN_US_PHONES[:2] == (SILENCE, UNKNOWN)
    assert len(set(EN_US_PHONES)) == len(EN_US_PHONES)


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.integers(1, 30))
def test_lengthening_keeps_order_ends_and_the_minimum(lengths, min_ms):
    edges = [0.0]
    for length in lengths:
        edges.append(edges[-1] + length / 1000)
    phones = [TimedPhone("a", s, e) for s, e in zip(edges, edges[1:], strict=False)]
    longer = lengthen_short_phones(phones, min_ms / 1000)
    assert longer[0].start_s == 0 and longer[-1].end_s == pytest.approx(edges[-1], abs=1e-12)
    shortest = min(min_ms / 1000, edges[-1] / len(phones))
    for before, after in zip(longer, longer[1:], strict=False):
        assert before.end_s == after.start_s
    assert all(p.duration_s >= shortest - 1e-12 for p in longer)
    if min(lengths) >= min_ms:
        assert [p.end_s for p in longer] == pytest.approx([p.end_s for p in phones])


def test_silences_are_merged_and_do_not_count_in_the_mean():
    phones = [TimedPhone("_", 0, 1), TimedPhone("_", 1, 3), TimedPhone("s", 3, 3.1), TimedPhone("_", 3.1, 4)]
    merged = merge_silences(phones)
    assert [(p.phone, p.start_s, p.end_s) for p in merged] == [("_", 0, 3), ("s", 3, 3.1), ("_", 3.1, 4)]
    assert mean_phone_duration_s(merged) == pytest.approx(0.1)
    assert math.isnan(mean_phone_duration_s([]))

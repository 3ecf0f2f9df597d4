"""Means over utterances with their intervals; what could not be measured."""

import math

import pytest

from wavegen.evaluation.tally import Tally


def test_weighted_mean_and_interval():
    tally = Tally()
    for value, weight in ((1.0, 100), (2.0, 300), (3.0, 100)):
        tally.add("teacher/bits_per_sample", value, weight)
    metrics = tally.metrics(seed=0)
    assert metrics["teacher/bits_per_sample"] == pytest.approx(2.0)
    assert (
        1.0 <= metrics["teacher/bits_per_sample_low"] < 2.0 < metrics["teacher/bits_per_sample_high"] <= 3.0
    )


def test_what_is_no_number_counts_as_absent():
    tally = Tally()
    tally.add("a/x", math.nan)
    tally.add("a/x", 4.0)
    tally.add("b/x", math.nan)
    tally.add("c/x", 1.0, 0)
    metrics = tally.metrics(seed=0)
    assert metrics["a/x"] == metrics["a/x_low"] == metrics["a/x_high"] == 4.0
    assert metrics["b/x"] is None and metrics["c/x"] is None and metrics["b/x_low"] is None


def test_a_ratio_pairs_utterances_and_weighs_both_sides():
    tally = Tally()
    for own, recording, phones in ((0.2, 0.4, 10), (0.3, 0.5, 30), (math.nan, 0.9, 50)):
        tally.add("student/x", own, phones)
        tally.add("recording/x", recording, phones)
    tally.relate("student/x_relative", "student/x", "recording/x")
    metrics = tally.metrics(seed=0)
    assert metrics["student/x_relative"] == pytest.approx((2 + 9) / (4 + 15))
    assert metrics["student/x_relative_low"] == pytest.approx(0.5)
    assert metrics["student/x_relative_high"] == pytest.approx(0.6)


def test_a_ratio_to_nothing_could_not_be_measured():
    tally = Tally()
    tally.add("student/x", 0.2)
    tally.add("recording/x", -0.1)
    tally.relate("student/y", "student/x", "recording/x")
    assert tally.metrics(seed=0)["student/y"] is None
    tally.add("student/x", 0.2)
    with pytest.raises(ValueError, match="zip"):
        tally.relate("student/y", "student/x", "recording/x")

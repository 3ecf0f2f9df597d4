"""The registries: complete, without doubles, and every number is explained to a reader."""

import pytest

from wavegen.metrics.density_registry import DENSITY
from wavegen.metrics.distortion_registry import DISTORTION, EXTENT
from wavegen.metrics.registry import LIKELIHOOD, SPEED

EVERY = (*DISTORTION, EXTENT, *LIKELIHOOD, *SPEED, *DENSITY)
WORDS_OF_UNITS = {
    "dB": "db",
    "dBFS": "dbfs",
    "Hz": "hz",
    "MOS": "mos",
    "s": "_s",
    "%": "",
    "correlation": "",
    "bits per sample": "bits",
    "nats per sample": "nats",
    "samples/s": "samples_per_second",
    "bits per dimension": "",
    "nats per row": "",
}
"""What a key must contain to name its unit."""


def test_keys_are_unique():
    keys = [metric.key for metric in EVERY]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("metric", EVERY, ids=lambda metric: metric.key)
def test_a_reader_is_told_everything(metric):
    assert metric.title and metric.explanation.endswith(".")
    assert WORDS_OF_UNITS[metric.unit] in metric.key or "linear_predictor" in metric.key
    assert metric.better in ("lower", "higher", "near")
    assert metric.percent == (metric.unit == "%")
    assert metric.digits >= 1


def test_only_what_every_system_is_measured_by_has_a_function():
    assert all(callable(metric.function) != (metric.relative_to is not None) for metric in DISTORTION)
    assert all(metric.function is None for metric in (EXTENT, *LIKELIHOOD, *SPEED, *DENSITY))


def test_titles_within_a_table_differ():
    for table in (DISTORTION, LIKELIHOOD, SPEED, DENSITY):
        assert len({metric.title for metric in table}) == len(table)

import numpy as np

from wavegen.benchmark.streaming import measure, memory_mb, peak_memory_mb


def test_the_peak_is_remembered_after_memory_is_given_back():
    before = peak_memory_mb()
    held = np.ones(25_000_000)  # 200 MB, every page written
    while_held = memory_mb()
    del held
    assert while_held >= 190
    assert peak_memory_mb() >= max(before, while_held - 1)
    assert memory_mb() <= while_held - 150


def test_lengths_are_repeated_within_the_budget(small_config):
    settings = small_config | {"precision": "float32", "threads": 1, "repeats": 3}
    settings |= {"lengths_s": [2, 0.5, 1], "budget_s": 1}
    found = measure(settings)
    assert [(stream["length_s"], len(stream["seconds"])) for stream in found["streams"]] == [
        (0.5, 2), (1, 1), (2, 1)
    ]  # fmt: skip
    assert found["length_s"] == 2
    assert found["peak_mb"] >= found["with_model_and_features_mb"] - 1

"""A benchmark of nets so small that everything it times is over at once."""

import pytest


@pytest.fixture
def small_config():
    return {
        "seed": 0,
        "repeats": 1,
        "duration_s": 0.0,
        "sample_rate": 800,
        "batch_size": 3,
        "utterance_s": 0.1,
        "best_precision": "auto",
        "conditioning": {"channels": 4, "hop_samples": 8},
        "teacher": {
            "num_layers": 3,
            "num_components": 2,
            "kernel_size": 3,
            "residual_channels": 16,
            "gate_channels": 32,
            "skip_channels": 16,
            "output_channels": 16,
        },
        "student": {
            "num_layers": [2, 3],
            "kernel_size": 3,
            "residual_channels": 16,
            "gate_channels": 32,
            "skip_channels": 0,
            "output_channels": 16,
        },
        "training": {"batch_size": 2, "segment_s": 0.1},
        "lengths": {"student_s": [0.5, 1, 2], "student_budget_s": 1, "teacher_s": [0.1, 0.2, 0.4]},
        "shapes": {"num_layers": [2, 12], "channels": [16, 32]},
    }

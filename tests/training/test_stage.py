"""A stage reads back what has been trained, and says what is missing of it."""

import pytest
from torch import nn

from wavegen.errors import UserError
from wavegen.runs.manifest import write_manifest
from wavegen.runs.weights import save_weights
from wavegen.training.stage import run_stage


def test_weights_that_the_manifest_does_not_know_are_named(tmp_path):
    write_manifest(tmp_path, {}, {})
    save_weights(tmp_path, "flow", nn.Linear(1, 1))

    def untouched(*args, **kwargs):
        raise AssertionError("nothing is made or trained where there are weights")

    with pytest.raises(UserError, match=r"manifest\.json describes no flow, but .*flow\.safetensors"):
        run_stage(
            "flow", untouched, untouched, untouched, run=tmp_path, seed=0, fit=untouched, model_config={}
        )

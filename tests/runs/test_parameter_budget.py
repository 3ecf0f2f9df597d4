import runpy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from wavegen.errors import UserError
from wavegen.runs.parameter_budget import parameter_budget

small_voice = runpy.run_path(str(Path(__file__).with_name("small_voice.py")))
rewrite, assert_refused = (small_voice[name] for name in ("rewrite", "assert_refused"))


def test_a_model_of_more_parameters_than_the_file_holds_is_refused_before_they_are_filled(run, monkeypatch):
    filled = []
    monkeypatch.setattr(nn.Conv1d, "reset_parameters", lambda module: filled.append(module.weight.numel()))
    rewrite(run, lambda content: content["models"]["teacher"]["wavenet"].update(residual_channels=5000))
    num_values = sum(tensor.numel() for tensor in load_file(run / "teacher.safetensors").values())
    assert_refused(run, "does not fit the model of", f"the file has {num_values} numbers, the model has more")
    assert sum(filled) <= num_values


def test_exactly_as_many_parameters_are_allowed():
    with parameter_budget(3 * 4 + 4, "too many"):
        nn.Linear(3, 4)
    with pytest.raises(UserError, match="^too many$"), parameter_budget(3 * 4 + 3, "too many"):
        nn.Linear(3, 4)


def test_parameters_of_all_modules_in_the_block_are_counted_together():
    with pytest.raises(UserError), parameter_budget(30, "too many"):
        nn.Linear(3, 4, bias=False)
        nn.Linear(3, 4, bias=False)
        nn.Linear(3, 4, bias=False)


def test_buffers_and_missing_parameters_cost_nothing():
    with parameter_budget(0, "too many"):
        module = nn.Module()
        module.register_parameter("none", None)
        module.register_buffer("table", torch.zeros(1000))
    assert module.table.numel() == 1000 and not list(module.parameters())
    with pytest.raises(UserError, match="^too many$"), parameter_budget(0, "too many"):
        module.register_parameter("one", nn.Parameter(torch.zeros(1)))


def test_behind_the_block_nothing_is_counted():
    with pytest.raises(UserError), parameter_budget(1, "too many"):
        nn.Linear(3, 4)
    nn.Linear(3, 4)

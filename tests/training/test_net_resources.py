"""Recomputation and compilation are choices of a run, on every net of it, and change no result."""

import os
import subprocess
import sys

import pytest
import torch

from wavegen.errors import UserError
from wavegen.nets.wavenet import WaveNet
from wavegen.runs.folder import open_run
from wavegen.training import net_resources
from wavegen.training.net_resources import arrange_nets
from wavegen.training.speech_stage import fill_in_voice
from wavegen.training.speech_stages import train_student, train_teacher


def wavenet():
    return WaveNet(
        num_parameters=2, dilations=[1, 2], residual_channels=4, gate_channels=8, output_channels=4
    )


def test_every_net_of_every_model_is_set():
    models = [torch.nn.ModuleList([wavenet(), wavenet()]), wavenet(), torch.nn.Linear(1, 1)]
    arrange_nets(models, checkpoint_layers=3)
    assert [net.checkpoint_layers for net in (*models[0], models[1])] == [3, 3, 3]
    assert not hasattr(models[2], "checkpoint_layers")


@pytest.mark.parametrize("value", [-1, 1.5, True, "many"])
def test_a_number_of_layers_that_is_none_is_named(value):
    with pytest.raises(UserError, match="checkpoint_layers must be a whole number of layers or 0, got"):
        arrange_nets([wavenet()], checkpoint_layers=value)


WITHOUT_COMPILER = """
import torch
from wavegen.nets.wavenet import WaveNet
from wavegen.training.net_resources import arrange_nets
nets = [WaveNet(num_parameters=2, dilations=[1]) for _ in range(2)]
arrange_nets(nets, compile=True)
print(nets[0](torch.zeros(1, 5)).shape)
"""


@pytest.mark.slow
def test_without_a_compiler_one_warning_says_so_and_the_net_works(tmp_path):
    missing = {"CXX": str(tmp_path / "no-compiler"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER],
        env=os.environ | missing,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("torch.compile does not work here") == 1
    assert "torch.Size([1, 5, 2])" in done.stdout


def test_compiled_nets_keep_the_names_of_their_weights_and_their_results(monkeypatch):
    """What a compiler would make of the nets is its business; that they are handed over, ours."""
    monkeypatch.setattr(net_resources, "can_compile", lambda device: True)
    plain, net = wavenet(), wavenet()
    net.load_state_dict(plain.state_dict())
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda call, **settings: compiled.append(call) or call)
    arrange_nets([net], compile=True)
    assert len(compiled) == 1
    x = torch.randn(2, 30, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net(x), plain(x))
    assert net.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.slow
def test_a_traced_net_gives_the_same_numbers():
    """The form that a compiler is shown, without needing one: traced, and run operation by operation."""
    torch.manual_seed(0)
    net = wavenet()
    x = torch.randn(2, 30)
    expected = net(x)
    traced = torch.compile(net, backend="aot_eager")(x)
    torch.testing.assert_close(traced, expected, rtol=1e-4, atol=1e-5)


def test_both_stages_take_the_settings_and_train(compose_config, mini_corpus, tmp_path):
    overrides = [f"run={tmp_path}", "student_training.checkpoint_layers=1", "student_training.max_steps=2"]
    config = compose_config(
        "distill", *overrides, "teacher_training.checkpoint_layers=2", "teacher_training.max_steps=2"
    )
    fill_in_voice(config, mini_corpus)
    run = open_run(config)
    teacher = train_teacher(config, mini_corpus, run)
    nets = [net for net in teacher.modules() if isinstance(net, WaveNet)]
    assert [net.checkpoint_layers for net in nets] == [2]
    student = train_student(config, mini_corpus, run, teacher)
    nets += [net for net in student.modules() if isinstance(net, WaveNet)]
    assert [net.checkpoint_layers for net in nets] == [1] * 5

"""Distributed training: two CPU processes, as the command line starts them."""

import os
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from wavegen.data.speech.segments import SegmentStream
from wavegen.runs.voice import load_voice

NARROW = """
teacher.wavenet.dilations.num_layers=2 teacher.wavenet.residual_channels=8 teacher.wavenet.gate_channels=8
teacher.wavenet.skip_channels=8 teacher.wavenet.output_channels=8
source_filter.filter.parameters.hidden_channels=8 source_filter.mixture.parameters.hidden_channels=8
""".split()
SETTINGS = """
segment_s=0.05 batch_size=2 max_steps=2 validate_every_steps=1 dev_batches=1 num_workers=0
speak_every_num_validations=2 precision=32-true
""".split()
WORDS = [
    "trainer=ddp",
    "trainer.accelerator=cpu",
    "corpus.num_dev=2",
    "corpus.num_test=2",
    "corpus.num_jobs=1",
]
WORDS += [*NARROW, *(f"teacher_training.{setting}" for setting in SETTINGS)]
WORDS += [f"source_filter_training.{setting}" for setting in SETTINGS]
DISTILL = [f"student_training.{setting}" for setting in SETTINGS]
DISTILL += ["evaluation.max_spoken_utterances=1", "evaluation.max_utterances=1"]
DISTILL += ["evaluation.max_teacher_seconds=1"]


def launch(recipe, folder, *words):
    sentences = folder / "sentences.txt"
    sentences.write_text("".join(f"Number {n} is here.\n" for n in "one two three four five six".split()))
    corpus = [f"corpus.source.sentences={sentences}", f"corpus.directory={folder / 'corpus'}"]
    result = subprocess.run(
        [sys.executable, "-m", "wavegen", recipe, *WORDS, *corpus, f"run={folder / 'run'}", *words],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "Starting with 2 processes" in result.stderr
    return result.stdout


def step_of(folder, stage):
    return torch.load(folder / "run" / "checkpoints" / stage / "last.ckpt", weights_only=True)["global_step"]


@pytest.mark.slow
def test_two_processes_train_a_teacher_and_go_on_with_it(tmp_path):
    output = launch("teacher", tmp_path)
    assert output.count("The teacher is in") == 1, "one process reports"
    assert step_of(tmp_path, "teacher") == 2
    assert load_voice(tmp_path / "run").teacher is not None
    weights = tmp_path / "run" / "teacher.safetensors"
    first = load_file(weights)
    weights.unlink()
    launch("teacher", tmp_path)  # the same command goes on where it stands: at the end
    for name, tensor in load_file(weights).items():
        torch.testing.assert_close(tensor, first[name], rtol=0, atol=0)


@pytest.mark.slow
def test_two_processes_distil_and_one_measures(tmp_path):
    output = launch("distill", tmp_path, *DISTILL)
    assert output.count("Listen: ") == 1
    assert (step_of(tmp_path, "teacher"), step_of(tmp_path, "student")) == (2, 2)
    voice = load_voice(tmp_path / "run")
    assert voice.teacher is not None and voice.student is not None
    for name in ("teacher", "student"):
        tensors = load_file(tmp_path / "run" / f"{name}.safetensors").values()
        assert all(torch.isfinite(tensor).all() for tensor in tensors)
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.slow
def test_two_processes_agree_when_their_time_is_up(tmp_path):
    """Their clocks do not: the second begins later, and ends where the first one says."""
    output = launch(
        "teacher", tmp_path, "teacher_training.max_steps=100000", "teacher_training.max_minutes=0.1"
    )
    assert output.count("The teacher is in") == 1
    assert 0 < step_of(tmp_path, "teacher") < 100000
    assert load_voice(tmp_path / "run").teacher is not None


def test_every_process_sees_segments_of_its_own(mini_corpus):
    def batches(rank):
        stream = SegmentStream(
            corpus=mini_corpus,
            split="train",
            segment_samples=400,
            past_samples=80,
            batch_size=4,
            seed=0,
            rank=rank,
        )
        return [stream.batch(number).waveform for number in range(3)]

    assert all(torch.equal(a, b) for a, b in zip(batches(0), batches(0), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(batches(0), batches(1), strict=True))


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


SPOILT = """
import sys
from functools import partial
from pathlib import Path

import lightning
import torch
from torch.utils.data import DataLoader

from wavegen.errors import UserError
from wavegen.training.budget import Budget
from wavegen.training.data import StepNumbers
from wavegen.training.fit import fit
from wavegen.training.module import TrainingModule


class Spoilt(TrainingModule):
    def __init__(self, when, **settings):
        super().__init__(**settings)
        self.when, self.value = when, torch.nn.Parameter(torch.zeros(()))

    def training_step(self, number):
        spoilt = self.global_rank == 1 and self.global_step == self.when
        return self.check_finite("square", (self.value - number).square() * (torch.nan if spoilt else 1))

    def validation_step(self, number, batch_idx):
        spoilt = self.global_rank == 1 and self.when == -self.global_step
        self.check_finite("cost", self.value * (torch.inf if spoilt else 1))


data = StepNumbers()
data.val_dataloader = lambda: DataLoader([torch.tensor(0.0)], batch_size=None)
module = Spoilt(
    int(sys.argv[2]), optimizer=partial(torch.optim.SGD, lr=0.1), budget=Budget(max_steps=8)
)
try:
    fit(
        module=module,
        data=data,
        trainer=partial(lightning.Trainer, accelerator="cpu", devices=2, strategy="ddp"),
        run=Path(sys.argv[1]),
        stage="line",
        seed=0,
        validate_every_steps=4,
        precision="32-true",
    )
except UserError as error:
    sys.exit(f"error: {error}")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "when, what",
    [
        (0, "step 0: the term 'square' is nan, expected a finite number in process 1 of 2; no step has been"),
        (
            3,
            "step 3: the term 'square' is nan, expected a finite number in process 1 of 2; start another run",
        ),
        (-4, "step 4: the term 'cost' is inf, expected a finite number in process 1 of 2; start another run"),
    ],
)
def test_a_number_that_is_none_in_one_process_ends_all_at_once(tmp_path, when, what):
    script = tmp_path / "spoilt.py"
    script.write_text(SPOILT)
    result = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "run"), str(when)],
        capture_output=True,
        text=True,
        timeout=100,  # far less than the backend waits for a process
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.returncode == 1, result.stderr[-3000:]
    assert f"error: training stopped at {what}" in result.stderr
    assert result.stderr.count("training stopped") == 1, "one process says it"
    assert "Traceback" not in result.stderr


def flow_words(run):
    settings = "max_steps=6 batch_size=8 validate_every_steps=3 dev_batches=1 precision=32-true"
    words = [
        "trainer=ddp",
        "trainer.accelerator=cpu",
        "flow_model.num_steps=1",
        "flow_model.hidden_channels=4",
    ]
    words += ["evaluation.max_images=8", "evaluation.num_samples=4"]
    return ["flow", *words, *(f"flow_training.{setting}" for setting in settings.split()), f"run={run}"]


def by_torchrun(node, port):
    words = f"--nnodes 2 --nproc-per-node 1 --master-addr 127.0.0.1 --master-port {port} --node-rank {node}"
    return [sys.executable, "-m", "torch.distributed.run", *words.split(), "-m", "wavegen"], {}


def by_slurm(node, port):
    """What srun sets in the two tasks of ``srun --nodes 2 --ntasks-per-node 1``."""
    variables = "NTASKS=2 NTASKS_PER_NODE=1 NNODES=2 JOB_ID=17 JOB_NAME=voice LOCALID=0".split()
    variables += [f"PROCID={node}", f"NODEID={node}"]
    environment = dict(f"SLURM_{each}".split("=") for each in variables)
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [sys.executable, "-m", "wavegen"], environment


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [by_torchrun, by_slurm])
def test_two_nodes_train_what_two_processes_of_one_do(tmp_path, launcher, free_port):
    one, two = tmp_path / "one", tmp_path / "two"
    subprocess.run([sys.executable, "-m", "wavegen", *flow_words(one)], check=True, timeout=200)
    nodes = []
    for node in (0, 1):
        command, environment = launcher(node, free_port)
        words = [*flow_words(two), "trainer.devices=1", "+trainer.num_nodes=2"]
        nodes.append(
            subprocess.Popen(
                [*command, *words], env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
            )
        )
    said = [node.communicate(timeout=200)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0]
    assert "Report: " in said[0] and "Report: " not in said[1], "one process reports"
    expected, found = (load_file(run / "flow.safetensors") for run in (one, two))
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-6)

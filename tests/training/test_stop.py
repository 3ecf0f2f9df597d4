"""Signals while training: what was learned is saved, and a resumed run ends as one that was never stopped."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
import torch
from safetensors.torch import load_file

from wavegen.data.speech.segments import SegmentStream, segment_loader
from wavegen.interruption import SIGNALS, Interrupted, handling, interruptible, raise_interrupted
from wavegen.runs.folder import open_run
from wavegen.training import checkpoints
from wavegen.training.checkpoints import read_step
from wavegen.training.density import DensityTraining
from wavegen.training.speech_stage import fill_in_voice
from wavegen.training.speech_stages import train_teacher
from wavegen.training.teacher import TeacherTraining


@pytest.fixture(autouse=True)
def nobody_dies(heeded_signals):
    """A signal that the training does not take fails the test, not the process that runs it."""


@pytest.fixture
def signals_at(monkeypatch):
    """``signals_at(module, hook, when, *signums)``: the process gets the signals in that hook, once."""

    def arrange(module_class, hook, when, *signums):
        original, to_send = getattr(module_class, hook), list(signums)

        def interrupted(self, *arguments):
            if when(self, *arguments):
                while to_send:
                    os.kill(os.getpid(), to_send.pop(0))
            return original(self, *arguments)

        monkeypatch.setattr(module_class, hook, interrupted)

    return arrange


def at_step(step):
    return lambda module, *_: module.global_step == step


def same_weights(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def check_flow_run(run, whole):
    """Weights, and which validation they are from, are those of the run that was not stopped."""
    same_weights(*(load_file(path / "flow.safetensors") for path in (run, whole)))
    best = [json.loads((path / "training.json").read_text())["best_step"] for path in (run, whole)]
    assert best[0] == best[1]


@pytest.fixture(scope="module")
def whole_flow(tmp_path_factory):
    return tmp_path_factory.mktemp("whole")


@pytest.fixture
def train_whole_flow(train_flow, whole_flow):
    """The run that was never stopped, once for all tests."""
    if not (whole_flow / "flow.safetensors").exists():
        train_flow(whole_flow)
    return whole_flow


PLACES = {
    "the first step": ("training_step", at_step(0), 1),
    "a step": ("training_step", at_step(3), 4),
    "a step before a validation": ("training_step", at_step(2), 3),
    "a validation": ("validation_step", lambda module, batch, index: index == 0, 3),
    "a validation's last batch": ("validation_step", lambda module, batch, index: index == 1, 3),
    "the last step": ("training_step", at_step(5), 6),
    "the last validation": ("validation_step", at_step(6), 6),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_signal_saves_and_the_resumed_run_ends_like_an_uninterrupted_one(
    train_flow, train_whole_flow, signals_at, tmp_path, place
):
    hook, when, step = PLACES[place]
    signals_at(DensityTraining, hook, when, signal.SIGTERM)
    with pytest.raises(Interrupted) as caught:
        train_flow(tmp_path)
    assert (caught.value.signum, caught.value.kept) == (signal.SIGTERM, f"the flow is saved at step {step}")
    assert read_step(tmp_path / "checkpoints" / "flow" / "last.ckpt") == step
    assert not (tmp_path / "flow.safetensors").exists()
    train_flow(tmp_path)
    check_flow_run(tmp_path, train_whole_flow)


def test_a_step_of_several_batches_is_finished_before_it_is_saved(train_flow, signals_at, tmp_path):
    several = "flow_training.accumulate_batches=3"
    train_flow(tmp_path / "whole", several)

    def in_the_middle(module, batch, number):
        return number == 3 * 4 + 1

    signals_at(DensityTraining, "training_step", in_the_middle, signal.SIGTERM)
    with pytest.raises(Interrupted) as caught:
        train_flow(tmp_path / "stopped", several)
    assert caught.value.kept == "the flow is saved at step 5"
    train_flow(tmp_path / "stopped", several)
    check_flow_run(tmp_path / "stopped", tmp_path / "whole")


def test_a_signal_that_was_lost_before_the_fit_ends_it_before_the_first_step(
    train_flow, tmp_path, heeded_signals
):
    with pytest.raises(Interrupted) as caught, interruptible():
        with contextlib.suppress(BaseException):  # as an import does
            signal.raise_signal(signal.SIGINT)
        train_flow(tmp_path)
    assert caught.value.signum == signal.SIGINT and not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize("signum", SIGNALS)
def test_all_three_signals_are_taken_and_given_back(train_flow, signals_at, tmp_path, signum, capfd):
    before = [signal.getsignal(each) for each in SIGNALS]
    signals_at(DensityTraining, "training_step", at_step(2), signum)
    with pytest.raises(Interrupted) as caught:
        train_flow(tmp_path)
    assert caught.value.signum == signum
    assert [signal.getsignal(each) for each in SIGNALS] == before
    assert f"\n{signum.name}: saving the flow after the current step\n" in capfd.readouterr().err


def test_more_signals_while_saving_do_not_cost_the_checkpoint(
    train_flow, train_whole_flow, signals_at, tmp_path, monkeypatch, capfd
):
    write, num_saved = checkpoints._write, []

    def impatient(checkpoint, path):
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), signum)
        write(checkpoint, path)
        num_saved.append(path)

    signals_at(DensityTraining, "training_step", at_step(4), signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "_write", impatient)
        with pytest.raises(Interrupted) as caught:
            train_flow(tmp_path)
    assert (caught.value.signum, len(num_saved)) == (signal.SIGINT, 1)
    said = capfd.readouterr().err
    assert said.count("SIGINT: saving the flow") == 1
    assert said.count("wavegen ends after the flow is saved; Ctrl-\\ ends it at once") == 1
    assert read_step(tmp_path / "checkpoints" / "flow" / "last.ckpt") == 5
    train_flow(tmp_path)
    check_flow_run(tmp_path, train_whole_flow)


def test_a_signal_during_the_final_save_is_heeded_behind_it(
    train_flow, train_whole_flow, tmp_path, monkeypatch
):
    write = checkpoints._write

    def late(checkpoint, path):
        os.kill(os.getpid(), signal.SIGHUP)
        write(checkpoint, path)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "_write", late)
        with pytest.raises(Interrupted) as caught:
            train_flow(tmp_path)
    assert (caught.value.signum, caught.value.kept) == (signal.SIGHUP, "the flow is trained")
    train_flow(tmp_path)
    check_flow_run(tmp_path, train_whole_flow)


def test_what_is_ignored_stays_ignored(train_flow, train_whole_flow, signals_at, tmp_path, monkeypatch):
    """``nohup``: the terminal is closed, and the training goes on."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals_at(DensityTraining, "training_step", at_step(2), signal.SIGHUP)
    train_flow(tmp_path)
    check_flow_run(tmp_path, train_whole_flow)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_thread_trains_without_touching_signals(train_flow, train_whole_flow, tmp_path):
    thread = threading.Thread(target=train_flow, args=(tmp_path,))
    thread.start()
    thread.join()
    check_flow_run(tmp_path, train_whole_flow)


def test_a_resumption_that_is_stopped_while_it_reads_leaves_the_checkpoint_alone(
    train_flow, train_whole_flow, signals_at, tmp_path, monkeypatch
):
    """Between weights and optimiser the trainer is at no step, whatever its counter says."""
    signals_at(DensityTraining, "training_step", at_step(3), signal.SIGINT)
    with pytest.raises(Interrupted):
        train_flow(tmp_path)
    last = tmp_path / "checkpoints" / "flow" / "last.ckpt"
    saved = last.read_bytes()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def cut_off(self, checkpoint):
            raise KeyboardInterrupt

        patch.setattr("lightning.pytorch.strategies.Strategy.load_optimizer_state_dict", cut_off)
        train_flow(tmp_path)
    assert last.read_bytes() == saved
    train_flow(tmp_path)
    check_flow_run(tmp_path, train_whole_flow)


def run_teacher(compose_config, corpus, run, *overrides):
    config = compose_config("teacher", f"run={run}", "teacher_training.precision=32-true", *overrides)
    fill_in_voice(config, corpus)
    train_teacher(config, corpus, open_run(config))
    return load_file(run / "teacher.safetensors")


def test_a_signal_ends_speaking_at_once(compose_config, mini_corpus, tmp_path, signals_at, monkeypatch):
    speaking = "teacher_training.speak_every_num_validations=2"  # at the end, not in the middle
    expected = run_teacher(compose_config, mini_corpus, tmp_path / "whole", speaking)
    with monkeypatch.context() as patch:

        def mumble(self, *arguments):
            os.kill(os.getpid(), signal.SIGTERM)
            raise AssertionError("the teacher went on speaking")

        patch.setattr(TeacherTraining, "speak", mumble)
        with pytest.raises(Interrupted) as caught:
            run_teacher(compose_config, mini_corpus, tmp_path / "stopped", speaking)
    assert caught.value.kept == "the teacher is saved at step 6"
    spoken = []
    signals_at(TeacherTraining, "speak", lambda *_: spoken.append(1))
    same_weights(run_teacher(compose_config, mini_corpus, tmp_path / "stopped", speaking), expected)
    assert spoken == [1], "the validation that was cut off is made again, and speaks"


def test_workers_leave_signals_to_the_main_process(mini_corpus):
    stream = SegmentStream(
        corpus=mini_corpus, split="train", segment_samples=400, past_samples=80, batch_size=2, seed=0
    )
    batches = iter(segment_loader(stream, num_workers=1))
    next(batches)
    (worker,) = batches._workers
    for signum in SIGNALS:
        os.kill(worker.pid, signum)
    for _ in range(5):
        next(batches)
    assert worker.is_alive()
    del batches
    worker.join(30)
    assert worker.exitcode == 0


def test_handlers_end_at_once_and_are_given_back():
    before = [signal.getsignal(signum) for signum in SIGNALS]
    for signum in SIGNALS:
        with pytest.raises(Interrupted) as caught, handling(raise_interrupted):
            os.kill(os.getpid(), signum)
            time.sleep(60)
        assert caught.value.signum == signum
    assert [signal.getsignal(signum) for signum in SIGNALS] == before


# Whole commands, as a batch system and a terminal end them --------------------------------------------------

FLOW = """
flow flow_model.num_steps=1 flow_model.hidden_channels=4 flow_training.batch_size=8
flow_training.dev_batches=2 flow_training.max_steps=60 flow_training.validate_every_steps=20
flow_training.checkpoint_every_minutes=0 evaluation.max_images=8 evaluation.num_noise_draws=1
evaluation.num_samples=4
""".split()


def heed_signals():
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_DFL)


def begin(words, run, **environment):
    """A command in a session of its own, like a batch job's."""
    return subprocess.Popen(
        [sys.executable, "-m", "wavegen", *words, f"run={run}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"CI": "1", **environment},
        preexec_fn=heed_signals,
    )


def wait_for(path, process):
    while not path.exists() and process.poll() is None:
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signums", "status", "name"),
    [
        ([signal.SIGTERM], 143, "SIGTERM"),
        ([signal.SIGHUP], 129, "SIGHUP"),
        ([signal.SIGINT, signal.SIGINT], 130, "interrupted"),
    ],
)
def test_a_command_that_is_ended_says_so_and_goes_on(tmp_path, signums, status, name):
    whole = begin(FLOW, tmp_path / "whole")
    assert whole.wait(300) == 0, whole.stderr.read()
    run = tmp_path / "stopped"
    process = begin(FLOW, run)
    wait_for(run / "checkpoints" / "flow" / "last.ckpt", process)
    for signum in signums:
        process.send_signal(signum)
        time.sleep(0.01)
    _, said = process.communicate(timeout=300)
    assert process.returncode == status, said
    assert "Traceback" not in said and "Error" not in said
    step = read_step(run / "checkpoints" / "flow" / "last.ckpt")
    assert 0 < step < 60
    advice = f"go on with `wavegen flow resume={run}`"
    assert said.splitlines()[-1] == f"{name}: the flow is saved at step {step}; {advice}"
    resumed = begin(["flow", f"resume={run}"], run)
    assert resumed.wait(300) == 0, resumed.stderr.read()
    check_flow_run(run, tmp_path / "whole")


@pytest.mark.slow
def test_a_signal_to_the_whole_job_spares_its_workers_last_words(tmp_path, mini_corpus):
    """Loaders get the signal too; they end quietly, behind the main process."""
    sentences = f"corpus.source.sentences={mini_corpus.directory.parent / 'sentences.txt'}"
    words = ["teacher", f"corpus.directory={mini_corpus.directory}", sentences]
    words += ["corpus.num_dev=2", "corpus.num_test=2"]
    settings = "segment_s=0.05 batch_size=1 max_steps=100000 checkpoint_every_minutes=0 num_workers=2"
    process = begin([*words, *(f"teacher_training.{each}" for each in settings.split())], tmp_path)
    wait_for(tmp_path / "checkpoints" / "teacher" / "last.ckpt", process)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 143, said
    assert "Traceback" not in said and "killed" not in said
    assert "SIGTERM: the teacher is saved at step" in said.splitlines()[-1]
    assert children and not psutil.wait_procs(children, timeout=30)[1]


@pytest.mark.slow
def test_a_job_that_slurm_would_requeue_is_saved_too(tmp_path):
    """There Lightning takes SIGTERM to ignore it."""
    names = "NTASKS=1 NTASKS_PER_NODE=1 JOB_ID=17 JOB_NAME=voice PROCID=0 LOCALID=0 NODEID=0".split()
    slurm = dict(f"SLURM_{name}".split("=") for name in names)
    process = begin([*FLOW, "flow_training.max_steps=5000"], tmp_path, **slurm)
    wait_for(tmp_path / "checkpoints" / "flow" / "last.ckpt", process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 143, said
    assert "SLURM auto-requeueing enabled" in said and "SIGTERM: the flow is saved at step" in said


DISTRIBUTED = [*FLOW, "trainer=ddp", "trainer.accelerator=cpu", "flow_training.max_steps=5000"]


def begin_two(run):
    """A distributed training that has saved a checkpoint: its first process and the other one."""
    process = begin(DISTRIBUTED, run)
    wait_for(run / "checkpoints" / "flow" / "last.ckpt", process)
    children = psutil.Process(process.pid).children()
    (child,) = [child for child in children if "wavegen" in " ".join(child.cmdline())]
    return process, child


@pytest.mark.slow
@pytest.mark.parametrize("place", ["the first", "the other", "all"])
def test_a_signal_to_any_process_of_a_distributed_training_ends_all_after_one_step(tmp_path, place):
    process, child = begin_two(tmp_path)
    if place == "the other":
        child.send_signal(signal.SIGTERM)
    elif place == "the first":
        process.send_signal(signal.SIGTERM)
    else:
        os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 143, said
    assert "Traceback" not in said
    step = read_step(tmp_path / "checkpoints" / "flow" / "last.ckpt")
    assert said.splitlines()[-1].startswith(f"SIGTERM: the flow is saved at step {step}; go on with")
    assert not psutil.wait_procs([child], timeout=60)[1]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["the first", "the other"])
def test_a_process_that_is_killed_is_named_and_the_others_end(tmp_path, place):
    process, child = begin_two(tmp_path)
    if place == "the first":
        process.kill()
    else:
        child.kill()
    _, said = process.communicate(timeout=300)
    assert "Traceback" not in said
    assert not psutil.wait_procs([child], timeout=60)[1]
    step = read_step(tmp_path / "checkpoints" / "flow" / "last.ckpt")
    if place == "the other":
        assert process.returncode == 2
        assert said.splitlines()[-1] == (
            f"error: process 1 of 2 was killed by SIGKILL: the flow is saved at step {step}; "
            "the same command goes on from there"
        )

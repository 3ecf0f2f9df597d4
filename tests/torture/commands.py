"""Commands of a few seconds, run as a user runs them, and what they leave."""

import gzip
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil

ENDED_S = 600
_MARK = "WAVEGEN_TORTURE_RUN"
_STAGE = """
segment_s=0.05 batch_size=2 max_steps=6 validate_every_steps=3 dev_batches=1 num_workers=1
speak_every_num_validations=100 precision=32-true checkpoint_every_minutes=0
""".split()
_NARROW = """
teacher.wavenet.dilations.num_layers=2 teacher.wavenet.residual_channels=8 teacher.wavenet.gate_channels=8
teacher.wavenet.skip_channels=8 teacher.wavenet.output_channels=8 corpus.num_dev=2 corpus.num_test=2
source_filter.filter.parameters.hidden_channels=8 source_filter.mixture.parameters.hidden_channels=8
corpus.num_jobs=2
""".split()
_FLOW = """
flow_model.num_steps=1 flow_model.hidden_channels=4 flow_training.max_steps=20 flow_training.batch_size=8
flow_training.validate_every_steps=5 flow_training.dev_batches=1 flow_training.checkpoint_every_minutes=0
evaluation.max_images=8 evaluation.num_samples=4
""".split()
_EVALUATION = ["evaluation.max_spoken_utterances=1", "evaluation.max_utterances=1"]
_EVALUATION += ["evaluation.max_teacher_seconds=1"]


def words_of(command: str, folder: Path) -> list[str]:
    """The words of a command whose files are all in ``folder``."""
    if command == "flow":
        return ["flow", *_FLOW, f"run={folder / 'run'}"]
    sentences = folder / "sentences.txt"
    if not sentences.exists():
        names = "one two three four five six seven eight nine ten".split()
        sentences.write_text("".join(f"Number {name} is here.\n" for name in 2 * names))
    corpus = [f"corpus.source.sentences={sentences}", f"corpus.directory={folder / 'corpus'}"]
    if command.startswith("prepare"):
        sharded = ["corpus.shard_size=4"] if command == "prepare, sharded" else []
        return ["prepare", *_NARROW[-1:], "corpus.num_dev=2", "corpus.num_test=2", *corpus, *sharded]
    stages = ["source_filter", "teacher"] + (["student"] if command == "distill" else [])
    settings = [f"{stage}_training.{setting}" for stage in stages for setting in _STAGE]
    rest = _EVALUATION if command == "distill" else []
    return [command, *_NARROW, *settings, *corpus, f"run={folder / 'run'}", *rest]


class Command:
    """A running command, and the processes that it has started."""

    def __init__(self, words: list[str]) -> None:
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wavegen", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, _MARK: self.mark},
        )

    def ends(self) -> tuple[int, str]:
        """Exit status and output."""
        said, _ = self.process.communicate(timeout=ENDED_S)
        return self.process.returncode, said

    def send(self, signum: signal.Signals, after_s: float) -> bool:
        """Sends the main process a signal; False if it had ended before."""
        try:
            self.process.wait(after_s)
            return False
        except subprocess.TimeoutExpired:
            self.process.send_signal(signum)
            return True

    def left_over(self, patience_s: float = 20.0) -> list[psutil.Process]:
        """Processes of the command that live on."""
        end = time.monotonic() + patience_s
        while (found := list(filter(self._is_own, psutil.process_iter()))) and time.monotonic() < end:
            time.sleep(0.2)
        return found

    def _is_own(self, process: psutil.Process) -> bool:
        try:
            is_dead = process.status() == psutil.STATUS_ZOMBIE
            return not is_dead and process.environ().get(_MARK) == self.mark
        except psutil.Error:
            return False


def results(folder: Path) -> dict[str, bytes]:
    """The content of the files that two runs of a command must share: corpora and weights."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        is_result = path.suffix == ".safetensors" or name.startswith("corpus")
        if path.is_file() and is_result and path.suffix not in (".yaml", ".lock"):
            content = path.read_bytes()
            found[name] = gzip.decompress(content) if path.suffix == ".gz" else content
    return found

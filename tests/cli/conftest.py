"""A small house of recipes, made for the tests of the command line."""

import textwrap
from pathlib import Path

import pytest

RECIPES = {
    "speak": '''
        """Speaks a sentence.

        The second paragraph.

        Examples:
          wavegen speak text=Hello
        """

        from pathlib import Path

        from omegaconf import OmegaConf


        def main(config):
            Path(config.output).write_text(OmegaConf.to_yaml(config, resolve=True), encoding="utf-8")
            if config.corpus.name == "folder":
                print(config.corpus.root)
        ''',
    "fail": '''
        """Fails in the way that it is asked to."""

        import errno
        import os
        import sys
        import time

        from wavegen.errors import UserError
        from wavegen.interruption import Interrupted


        def main(config):
            if config.how == "user":
                raise UserError("corpus/x.wav: expected 16000 Hz, got 8000 Hz")
            if config.how == "interrupt":
                raise KeyboardInterrupt
            if config.how == "signal":
                os.kill(os.getpid(), config.signum)
                time.sleep(60)
            if config.how == "signal-in-training":
                raise Interrupted(config.signum, "the teacher is saved at step 7")
            if config.how == "interrupt-in-lightning":
                try:
                    raise KeyboardInterrupt
                except KeyboardInterrupt:
                    sys.exit(1)
            if config.how == "reference":
                print(config.reference)
            if config.how == "exit":
                sys.exit(7)
            if config.how == "disk":
                raise OSError(errno.ENOSPC, "No space left on device", "a.ckpt")
            if config.how == "disk-in-library":
                try:
                    raise RuntimeError("I/O error: No space left on device (os error 28)")
                except RuntimeError as error:
                    raise ValueError("could not save") from error
            raise ZeroDivisionError("a defect")
        ''',
}

CONFIGS = {
    "speak.yaml": """
        # wavegen speak text="Hello, world" output=hello.wav
        _verbatim_: [text, output, corpus.root]
        defaults:
          - corpus: spoken
          - trainer: cpu
          - _self_
          - experiment: null

        seed: 1  # what is random derives from it
        text: null  # the sentence, or "-" # for standard input
        output: out.wav
        # loudness of the output,
        # in decibels
        gain_db: 1.5
        fast: false
        student:
          layers: [10, 30]  # per flow
          channels: 64
        """,
    "fail.yaml": """
        how: defect
        reference: ${nothing.of_the_kind}
        signum: 15
        resume: null
        run: runs/a b
        """,
    "corpus/spoken.yaml": "# @package corpus\n# A voice speaks it.\n# wavegen speak\nname: spoken",
    "corpus/folder.yaml": "# Recordings.\nname: folder\nroot: ???  # where it lies",
    "trainer/cpu.yaml": "_target_: lightning.Trainer\nmax_steps: 10\ndevices: 1",
    "experiment/loud.yaml": "# @package _global_\ngain_db: 12.0",
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("house")
    for name, text in RECIPES.items():
        _write(root / "recipes" / "audio" / f"{name}.py", text)
    for name, text in CONFIGS.items():
        _write(root / "configs" / name, text)
    return root


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")

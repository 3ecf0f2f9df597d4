"""The example of docs/python.md that speaks runs on a run folder that the recipes' stages wrote."""

import re
from pathlib import Path

import soundfile
import torch

from wavegen.cli.composition import compose_config
from wavegen.data.speech.prepare import ensure_prepared
from wavegen.resources import resource_directory
from wavegen.runs.folder import open_run
from wavegen.training.speech_stage import fill_in_voice
from wavegen.training.speech_stages import train_student, train_teacher

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BRIEF = {"segment_s": 0.05, "batch_size": 1, "max_steps": 2, "validate_every_steps": 2, "dev_batches": 1}


def test_the_example_speaks_into_a_file(corpus_overrides, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    brief = {**BRIEF, "num_workers": 0, "speak_every_num_validations": 100}
    stages = ("source_filter", "teacher", "student")
    words = [f"{stage}_training.{key}={value}" for stage in stages for key, value in brief.items()]
    words += [*corpus_overrides("espeak", 8000), "run=runs/quickstart"]
    config = compose_config("distill", words, configs=resource_directory("configs"))
    corpus = ensure_prepared(config.corpus)
    fill_in_voice(config, corpus)
    run = open_run(config)
    train_student(config, corpus, run, train_teacher(config, corpus, run))

    *_, code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    exec(compile(code, str(PAGE), "exec"), names)
    written, sample_rate = soundfile.read("morning.wav", dtype="float32")
    assert sample_rate == 8000 and len(written) == round(names["speech"].duration_s * 8000) > 8000
    torch.testing.assert_close(
        torch.from_numpy(written), names["waveform"].clamp(-1, 1 - 2**-15), rtol=0, atol=2**-15
    )
    torch.testing.assert_close(torch.cat(list(names["speech"].blocks())), names["waveform"], rtol=0, atol=0)

"""`wavegen benchmark`, from the command line to tables, numbers and figure, of nets that are done at once.

That it runs, and that what it writes is complete; how fast anything is, no test says.
"""

import json

from wavegen.cli import main
from wavegen.evaluation.benchmark.sections import SECTIONS

NARROW = {"kernel_size": 3, "residual_channels": 16, "gate_channels": 32, "output_channels": 16}
BRIEF = [
    *("repeats=1", "duration_s=0", "sample_rate=2000", "batch_size=2", "utterance_s=0.05", "threads=2"),
    *(
        "matrix_sizes=[16,32]",
        "fresh_processes=false",
        "conditioning.channels=4",
        "conditioning.hop_samples=10",
    ),
    *("teacher.num_layers=2", "teacher.num_components=2", "teacher.skip_channels=16"),
    "student.num_layers=[1,2]",
    *(f"{model}.{key}={value}" for model in ("teacher", "student") for key, value in NARROW.items()),
    *("training.batch_size=1", "training.segment_s=0.4"),
    *("lengths.student_s=[0.5,1,2]", "lengths.student_budget_s=1", "lengths.teacher_s=[0.02,0.04,0.08]"),
    *("shapes.num_layers=[2,3]", "shapes.channels=[16,32]"),
]


def test_chosen_sections_alone(tmp_path, capsys):
    assert main(["benchmark", *BRIEF, "only=[machine,training]", f"run={tmp_path / 'run'}"]) == 0
    printed = capsys.readouterr().out
    assert "GFLOP/s" in printed and "distillation step" in printed
    assert "real time" not in printed and "No GPU was measured" in printed
    assert max(map(len, printed.splitlines()[:-1])) <= 100
    results = json.loads((tmp_path / "run" / "benchmark.json").read_text(encoding="utf-8"))
    assert "rates" not in results and "memory" not in results


def test_a_section_that_there_is_not_is_named(tmp_path, capsys):
    assert main(["benchmark", "only=[machine,teachers]", f"run={tmp_path / 'run'}"]) == 2
    assert f"only: expected some of {', '.join(SECTIONS)}, got teachers" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main(["benchmark", "only=[]", f"run={tmp_path / 'other'}"]) == 2
    assert "got none" in capsys.readouterr().err
    assert main(["benchmark", "only=[machine]", "threads=0", f"run={tmp_path / 'other'}"]) == 2
    assert "threads: expected at least 1 or null, got 0" in capsys.readouterr().err

"""`wavegen benchmark`, from the command line to tables, numbers and figure, of nets that are done at once.

That it runs, and that what it writes is complete; how fast anything is, no test says.
"""

import json
import math
import re

import pytest
from PIL import Image

from wavegen.benchmark import precisions, sections
from wavegen.benchmark.machine import describe_machine
from wavegen.benchmark.peer import find_peer
from wavegen.benchmark.report import Report
from wavegen.benchmark.sections import SECTIONS
from wavegen.cli.main import main

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


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    run = tmp_path_factory.mktemp("benchmark") / "run"
    assert main(["benchmark", *BRIEF, f"run={run}"]) == 0
    return run


def numbers(node, path=""):
    """Every number in the record, by its path."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from numbers(value, f"{path}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from numbers(value, f"{path}/{index}")
    elif isinstance(node, float):
        yield path, node


def test_all_sections_are_measured_and_written(benchmark):
    results = json.loads((benchmark / "benchmark.json").read_text(encoding="utf-8"))
    assert [path for path, value in numbers(results) if not math.isfinite(value)] == []
    found = {
        "peak",
        "rates",
        "training",
        "first_audio",
        "shape",
        "teacher_length",
        "student_length",
        "memory",
    }
    assert found <= set(results)
    rows = {row["what"]: row["measured"] for row in results["headlines"]}
    missing = {what for what, measured in rows.items() if measured is None}
    assert missing == (
        {what for what in rows if "peer" in what or "the same" in what} if not find_peer() else set()
    )
    engine = [r for r in results["rates"] if r["subject"] == "teacher, engine"]
    assert {(r["precision"], r["batch_size"], r["threads"]) for r in engine} == {
        (precision, batch, threads)
        for precision in ("float32", "bfloat16")
        for batch in (1, 2)
        for threads in (1, 2)
    }
    student = {r["precision"] for r in results["rates"] if r["subject"] == "student, engine"}
    assert student == set(precisions.of_student())
    assert {r["precision"] for r in results["peak"]} == set(precisions.of_torch())
    assert results["left_out"] == precisions.left_out()
    assert not any(r["shortened"] for r in results["rates"] + results["shape"])
    assert all(row["measured"] is None for row in results["gpu"].values())
    memory = results["memory"]
    assert memory["after_imports_mb"] < memory["with_model_and_features_mb"] <= memory["peak_mb"]
    width, height = Image.open(benchmark / "benchmark.png").size
    assert width > height > 500


def test_tables_fit_a_terminal(benchmark, tmp_path, capsys):
    results = json.loads((benchmark / "benchmark.json").read_text(encoding="utf-8"))
    results["machine"]["processor"] = "A processor whose name tells everything about it, " * 3
    fresh = [{"build_s": 1.0, "first_sound_s": 10.0}] * len(results["first_audio"]["warm"])
    results["first_audio"]["fresh_process"] = {"compiling": fresh, "loading": fresh}
    Report(tmp_path).finish(results)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 50 and [line for line in lines if len(line) > 100] == []


def test_chosen_sections_alone(tmp_path, capsys):
    assert main(["benchmark", *BRIEF, "only=[machine,training]", f"run={tmp_path / 'run'}"]) == 0
    printed = capsys.readouterr().out
    assert "GFLOP/s" in printed and "distillation step" in printed
    assert "real time" not in printed and "No GPU was measured" in printed
    assert max(map(len, printed.splitlines()[:-1])) <= 100
    results = json.loads((tmp_path / "run" / "benchmark.json").read_text(encoding="utf-8"))
    assert "rates" not in results and "memory" not in results


def test_a_table_is_printed_when_it_is_measured(tmp_path, capsys, monkeypatch):
    """What stood on the terminal when the training steps began, and what was added until the end."""
    printed = []

    def training_subjects(*arguments):
        printed.append(capsys.readouterr().out)
        return []

    monkeypatch.setattr(sections, "training_subjects", training_subjects)
    assert main(["benchmark", *BRIEF, "only=[machine,training]", f"run={tmp_path / 'run'}"]) == 0
    (before,), after = printed, capsys.readouterr().out
    assert describe_machine(2)["processor"][:40] in before and "GFLOP/s" in before
    assert "GFLOP/s" not in after and "No GPU was measured" in after


def test_what_the_cpu_does_not_multiply_is_left_out_and_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(precisions, "multiplies_bfloat16", lambda: False)
    assert main(["benchmark", *BRIEF, "only=[machine,training]", f"run={tmp_path / 'run'}"]) == 0
    printed = capsys.readouterr().out
    assert printed.count(f"not measured: {precisions.NO_PRODUCTS}") == 2
    results = json.loads((tmp_path / "run" / "benchmark.json").read_text(encoding="utf-8"))
    assert {r["precision"] for r in results["peak"] + results["training"]} == {"float32"}
    assert results["left_out"]["peak"] == [precisions.NO_PRODUCTS]


def test_without_time_all_is_measured_a_little(tmp_path, capsys):
    """A hundredth of a second for everything: one call of each, cut short where it can be, and it is said."""
    words = [*BRIEF, "max_minutes=0.0001", "repeats=3", "only=[student,training,length]"]
    assert main(["benchmark", *words, f"run={tmp_path / 'run'}"]) == 0
    results = json.loads((tmp_path / "run" / "benchmark.json").read_text(encoding="utf-8"))
    assert all(len(r["all"]) == 1 and r["shortened"] for r in results["rates"] + results["training"])
    assert results["student_length"]["streams"][-1]["length_s"] < 2
    said = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert (
        "To end within 0.0001 minutes: " in said
        and " subjects have shorter or fewer calls, teacher's lengths" in said
    )


def test_a_section_that_there_is_not_is_named(tmp_path, capsys):
    assert main(["benchmark", "only=[machine,teachers]", f"run={tmp_path / 'run'}"]) == 2
    assert f"only: expected some of {', '.join(SECTIONS)}, got teachers" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main(["benchmark", "only=[]", f"run={tmp_path / 'other'}"]) == 2
    assert "got none" in capsys.readouterr().err
    assert main(["benchmark", "only=[machine]", "threads=0", f"run={tmp_path / 'other'}"]) == 2
    assert "threads: expected at least 1 or null, got 0" in capsys.readouterr().err
    assert main(["benchmark", "only=[machine]", "max_minutes=0", f"run={tmp_path / 'third'}"]) == 2
    assert "max_minutes: expected more than 0 or null, got 0" in capsys.readouterr().err


def test_what_torch_computes_is_measured_on_another_device(tmp_path, capsys, device):
    assert main(["benchmark", *BRIEF, f"device={device.type}", f"run={tmp_path / 'run'}"]) == 0
    printed = capsys.readouterr().out
    assert f"computed by PyTorch on {device}" in printed and "GFLOP/s" in printed
    assert "No GPU was measured" not in printed
    results = json.loads((tmp_path / "run" / "benchmark.json").read_text(encoding="utf-8"))
    assert {record["subject"] for record in results["rates"]} == {
        "student, one pass of conv1d",
        "student, sampler in PyTorch",
    }
    assert {record["subject"] for record in results["training"]} == {"teacher step", "distillation step"}
    assert "memory" not in results and "first_audio" not in results


def test_engines_are_not_measured_on_another_device(tmp_path, capsys, device):
    words = ["benchmark", "only=[machine,teacher]", f"device={device.type}", f"run={tmp_path / 'run'}"]
    assert main(words) == 2
    assert "only=teacher measures the CPU's engines, expected device=cpu" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()

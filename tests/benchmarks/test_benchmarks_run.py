"""Benchmarks run and write what they measured; how fast anything is, no test says."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from wavegen.cli.composition import compose_config
from wavegen.processor import multiplies_bfloat16
from wavegen.resources import resource_directory

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def run(script, *arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_flows_against_peers(tmp_path):
    printed = run("flows_against_peers.py", "--quick", "--threads", 1, "--output", tmp_path)
    assert "normflows" in printed and "zuko" in printed and "nflows" in printed
    assert json.loads((tmp_path / "flows_against_peers.json").read_text())
    assert (tmp_path / "flows_against_peers.png").stat().st_size > 10_000


@pytest.mark.slow
def test_engines_against_themselves():
    options = ["--only", "float32, 1 threads", "--rounds", 1, "--call-s", 0.01]
    lines = run("engines_against.py", BENCHMARKS.parent, *options).splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["teacher", "teacher", "student"]


def test_engines_against_what_is_no_checkout(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "engines_against.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and f"expected another checkout of wavegen, got {tmp_path}" in done.stderr


@pytest.mark.slow
def test_flow_numerics(tmp_path):
    output = tmp_path / "numerics.json"
    run("flow_numerics.py", "--draws", 1, "--output", output)
    rows = json.loads(output.read_text())
    assert max(row["log_det_error"] for row in rows.values()) <= 1e-8
    assert sum(row["not_finite"] for row in rows.values()) == 0


@pytest.mark.slow
def test_loss_terms(tmp_path):
    output = tmp_path / "terms.json"
    printed = run("loss_terms.py", "--batch-size", 2, "--segment-s", 0.05, "--repeats", 1, "--output", output)
    assert "spectral_shape" in printed and "perceptual" in printed
    assert min(json.loads(output.read_text())["seconds"].values()) > 0


@pytest.mark.slow
def test_training_steps(tmp_path):
    output = tmp_path / "steps.json"
    printed = run("training_steps.py", "--layers", 2, "--segment-s", 0.02, "--repeats", 1, "--output", output)
    assert "distillation step" in printed and "teacher step" in printed
    record = json.loads(output.read_text())
    bfloat16 = {"wavegen, bfloat16"} if multiplies_bfloat16() else set()
    assert {step["form"] for step in record["steps"]} == {"plain", "wavegen"} | bfloat16
    errors = record["gradient_errors"]
    assert errors["plain"] < 1e-4 and errors["wavegen"] < 1e-4
    for form in bfloat16:  # left out where the CPU would do it by a reference loop
        assert errors[form] < 1.5 * errors["plain, bfloat16"]


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_a_benchmark_says_what_it_asks(path):
    printed = run(path.name, "--help")
    assert "usage:" in printed and len(printed.splitlines()) > 5


def test_every_row_of_the_ablation_is_a_valid_command():
    ablation = runpy.run_path(str(BENCHMARKS / "voice_ablation.py"))
    rows, commands = ablation["ROWS"], ablation["Ablation"]("DIR", 18.0, 0, 0)
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        recipe, *words = commands.command(row)
        config = compose_config(recipe, words, configs=resource_directory("configs"))
        assert config.corpus.root == "DIR" and config.run == f"runs/ablation/{row.name}"
        stages = ["student"] if row.recipe == "distill" else ["source_filter"][: bool(config.source_filter)]
        stages += ["teacher"] if row.recipe == "teacher" else []
        assert sum(config[f"{stage}_training"].max_minutes for stage in stages) == pytest.approx(18.0)


def test_teachers_of_the_ablation_are_those_of_the_experiment():
    ablation, configs = runpy.run_path(str(BENCHMARKS / "voice_ablation.py")), resource_directory("configs")
    corpus = ["corpus=ljspeech", "corpus.root=DIR"]
    row = compose_config("teacher", [*corpus, *ablation["LIKE_LJSPEECH_CPU"]], configs=configs)
    experiment = compose_config("distill", ["experiment=ljspeech_cpu", "corpus.root=DIR"], configs=configs)
    assert row.teacher == experiment.teacher
    of_the_rows = {"max_minutes", "max_steps", "speak_every_num_validations"}
    for key in row.teacher_training.keys() - of_the_rows:
        assert row.teacher_training[key] == experiment.teacher_training[key], key


@pytest.mark.parametrize("teacher_seed", [0, 3])
def test_students_distil_the_teacher_of_the_given_seed(teacher_seed):
    ablation = runpy.run_path(str(BENCHMARKS / "voice_ablation.py"))
    rows = {row.name: row for row in ablation["ROWS"]}
    of_teacher = ablation["Ablation"]("DIR", 18.0, teacher_seed, 0).command(rows["teacher"])
    (teacher,) = [word.removeprefix("run=") for word in of_teacher if word.startswith("run=")]
    student = ablation["Ablation"]("DIR", 18.0, 5, teacher_seed).command(rows["student_power"])
    assert f"teacher_checkpoint={teacher}" in student and "run=runs/ablation/student_power-5" in student

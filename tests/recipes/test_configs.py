"""Every file under configs/ is instantiated and run for two steps on data in its real format.

A group's file is run by the command that stands at its top, so that the command is tried as well; sizes
are those of the file. Only time is cut: two steps, batches of one, short segments.

Here are the files of the audio recipes; those of the others are run where ``ELSEWHERE`` says.
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile
import torch
from safetensors.torch import load_file

from wavegen.cli import composition
from wavegen.cli.main import main
from wavegen.data.speech.prepare import ensure_prepared
from wavegen.resources import resource_directory
from wavegen.runs.classifier import load_classifier
from wavegen.runs.folder import open_run
from wavegen.runs.voice import load_voice
from wavegen.training.classifier import fill_in_phones, train_classifier
from wavegen.training.source_filter_stage import train_source_filter
from wavegen.training.speech_stage import fill_in_voice
from wavegen.training.speech_stages import train_student, train_teacher


def start(config, corpus):
    """The run folder of a recipe, as its script opens it."""
    fill_in_voice(config, corpus)
    if "classifier" in config:
        fill_in_phones(config, corpus)
    return open_run(config)


CONFIGS = resource_directory("configs")
FILES = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("[!_]*.yaml"))
ELSEWHERE = {
    "benchmark": "test_speed_recipe.py",
    "flow": "test_flow_configs.py",
    "duality": "test_density_recipes.py",
    "gallery": "test_density_recipes.py",
}
SLOW = {"teacher/paper.yaml", "experiment/parallel_wavenet.yaml", "trainer/ddp.yaml"}
NARROW_TEACHER = [
    "teacher.wavenet.dilations.num_layers=2",
    "teacher.wavenet.residual_channels=8",
    "teacher.wavenet.gate_channels=8",
    "teacher.wavenet.skip_channels=8",
    "teacher.wavenet.output_channels=8",
]


STAGES = {
    "source_filter": ["source_filter"],
    "teacher": ["source_filter", "teacher"],
    "distill": ["source_filter", "teacher", "student"],
    "classifier": ["classifier"],
}


def brief(stage):
    settings = {
        "segment_s": 0.05,
        "batch_size": 1,
        "max_steps": 2,
        "validate_every_steps": 2,
        "dev_batches": 1,
        "num_workers": 0,
    }
    settings |= {} if stage == "classifier" else {"speak_every_num_validations": 100}
    return [f"{stage}_training.{key}={value}" for key, value in settings.items()]


def command(file):
    """The first command at the top of a file, or the plain one for groups whose files show none."""
    group, _, name = file.removesuffix(".yaml").partition("/")
    text = (CONFIGS / file).read_text(encoding="utf-8")
    shown = re.search(r"^# wavegen (.*)$", text, re.MULTILINE)
    if shown:
        return shlex.split(shown[1])
    plain = {"corpus": ["prepare", f"corpus={name}"], "optimisation": ["distill"]}
    assert group in plain, (
        f"configs/{file}: no line '# wavegen RECIPE {group}={name}' at its top says how to run it, see "
        "configs/README.md"
    )
    return plain[group]


def recipe_of(file):
    """The recipe of a file's command. A file without any is among the choices, whose test names it."""
    try:
        return command(file)[0] if "/" in file else file.removesuffix(".yaml")
    except AssertionError:
        return None


CHOICES = [name for name in FILES if "/" in name and recipe_of(name) not in ELSEWHERE]


def test_every_file_is_exercised(recipe_runs):
    elsewhere = {name for name in FILES if recipe_of(name) in ELSEWHERE}
    assert set(FILES) == set(CHOICES) | {f"{recipe}.yaml" for recipe in recipe_runs} | elsewhere
    for name in elsewhere:
        assert Path(__file__).with_name(ELSEWHERE[recipe_of(name)]).is_file(), name


def test_a_file_without_a_command_is_named(tmp_path, monkeypatch):
    (tmp_path / "objective").mkdir()
    (tmp_path / "objective" / "bad.yaml").write_text("# A bad one.\n")
    monkeypatch.setitem(globals(), "CONFIGS", tmp_path)
    assert recipe_of("objective/bad.yaml") is None
    with pytest.raises(AssertionError, match="configs/objective/bad.yaml: no line '# wavegen RECIPE obj"):
        command("objective/bad.yaml")


def with_marks(file):
    return pytest.param(file, marks=pytest.mark.slow if file in SLOW else ())


@pytest.mark.parametrize("file", [with_marks(file) for file in CHOICES])
def test_a_choice_runs_for_two_steps(file, corpus_overrides, tmp_path):
    group, _, name = file.removesuffix(".yaml").partition("/")
    recipe, *words = command(file)
    words = [word for word in words if not word.startswith(("corpus.root=", "classifier_checkpoint="))]
    plain = composition.compose_config(recipe, words, configs=CONFIGS)
    words += corpus_overrides(plain.corpus.name, plain.corpus.sample_rate)
    if group != "optimisation":
        default = f"- {group}: {name}\n" in (CONFIGS / f"{recipe}.yaml").read_text(encoding="utf-8")
        chosen = any(re.fullmatch(rf"{group}=\[?(.*,)?{name}(,.*)?\]?", word) for word in words)
        assert chosen or default, "the command runs another file"
    if recipe == "prepare":
        if group != "corpus":  # a folder holds one corpus, and this one differs
            words += [f"corpus.directory={tmp_path / 'corpus'}"]
        assert main([recipe, *words]) == 0
        corpus = ensure_prepared(composition.compose_config(recipe, words, configs=CONFIGS).corpus)
        assert (corpus.name, len(list(corpus.utterances("test")))) == (plain.corpus.name, 1)
        return
    words += [f"run={tmp_path / 'run'}"]
    stages = [stage for stage in STAGES[recipe] if stage != "source_filter" or plain.source_filter]
    words += [word for stage in STAGES[recipe] for word in brief(stage)]
    if name == "perceptual":
        words += [f"classifier_checkpoint={a_classifier(words, tmp_path / 'classifier')}"]
    words += NARROW_TEACHER if group in ("student", "experiment", "objective", "term") else []
    if group == "trainer" and name == "ddp":
        launched = [sys.executable, "-m", "wavegen", recipe, *words, "trainer.accelerator=cpu"]
        subprocess.run([*launched, *NARROW_TEACHER], check=True, timeout=300)
    else:
        train(composition.compose_config(recipe, [*words, "trainer.devices=1"], configs=CONFIGS))
    check_run(tmp_path / "run", stages)


def a_classifier(words, run):
    """The run folder of a classifier trained for two steps on the corpus of a command."""
    corpus = [word for word in words if word.startswith("corpus.")]
    words = [*corpus, *brief("classifier"), f"run={run}"]
    train(composition.compose_config("classifier", words, configs=CONFIGS))
    return run


def train(config):
    """The trainings of the recipe; measuring what came of them is tested once, below."""
    corpus = ensure_prepared(config.corpus)
    run = start(config, corpus)
    if "classifier" in config:
        train_classifier(config, corpus, run)
        return
    if "teacher" not in config:
        train_source_filter(config, corpus, run)
        return
    teacher = train_teacher(config, corpus, run)
    if "student" in config:
        train_student(config, corpus, run, teacher)


def check_run(run, models):
    is_voice = models != ["classifier"]
    loaded = load_voice(run) if is_voice else SimpleNamespace(classifier=load_classifier(str(run), 8000))
    for name in models:
        state = torch.load(run / "checkpoints" / name / "last.ckpt", weights_only=True)
        assert state["global_step"] == 2
        assert all(torch.isfinite(tensor).all() for tensor in load_file(run / f"{name}.safetensors").values())
        assert getattr(loaded, name) is not None


@pytest.fixture(scope="module")
def recipe_runs(tmp_path_factory, sentences):
    """All recipes one after the other, as a user types them; what they wrote, by recipe."""
    folder = tmp_path_factory.mktemp("recipes")
    corpus = [f"corpus.directory={folder / 'corpus'}", f"corpus.source.sentences={sentences}"]
    corpus += ["corpus.num_dev=1", "corpus.num_test=1", "corpus.num_jobs=1"]
    few = ["evaluation.max_utterances=1", "evaluation.max_spoken_utterances=1"]
    few += ["evaluation.max_teacher_seconds=1"]
    speak = ["text=a, b = {c}", f"checkpoint={folder / 'student'}", f"output={folder / 'out.wav'}"]
    commands = {
        "prepare": corpus,
        "teacher": [
            *corpus,
            *brief("source_filter"),
            *brief("teacher"),
            *NARROW_TEACHER,
            f"run={folder / 'teacher'}",
        ],
        "source_filter": [*corpus, *brief("source_filter"), *few[:2], f"run={folder / 'source_filter'}"],
        "classifier": [*corpus, *brief("classifier"), f"run={folder / 'classifier'}"],
        "distill": [
            *corpus,
            *brief("teacher"),
            *brief("student"),
            *few,
            "term=[perceptual,spectral_shape]",
            f"classifier_checkpoint={folder / 'classifier'}",
            f"teacher_checkpoint={folder / 'teacher'}",
            f"run={folder / 'student'}",
        ],
        "synthesize": speak,
        "evaluate": [f"checkpoint={folder / 'student'}", f"output={folder / 'evaluation'}", *few],
        "pack": [f"checkpoint={folder / 'student'}", f"output={folder / 'packed'}"],
    }
    for recipe, words in commands.items():
        assert main([recipe, *words]) == 0, recipe
    return {
        "prepare": folder / "corpus",
        "teacher": folder / "teacher",
        "source_filter": folder / "source_filter",
        "classifier": folder / "classifier",
        "distill": folder / "student",
        "synthesize": folder / "out.wav",
        "evaluate": folder / "evaluation",
        "pack": folder / "packed",
    }


def test_the_recipes_go_from_text_to_a_report(recipe_runs):
    assert (recipe_runs["prepare"] / "corpus.json").is_file()
    check_run(recipe_runs["teacher"], ["source_filter", "teacher"])
    check_run(recipe_runs["source_filter"], ["source_filter"])
    check_run(recipe_runs["classifier"], ["classifier"])
    heard = json.loads((recipe_runs["classifier"] / "metrics.json").read_text(encoding="utf-8"))
    assert {"classifier/dev/accuracy", "classifier/dev/majority_accuracy"} <= set(heard)
    check_run(recipe_runs["distill"], ["student"])
    info = soundfile.info(recipe_runs["synthesize"])
    assert (info.samplerate, info.subtype, info.channels) == (8000, "PCM_16", 1)
    assert info.frames % 40 == 0 and info.duration > 0.3
    packed, run = load_voice(recipe_runs["pack"]), load_voice(recipe_runs["distill"])
    assert packed.config == run.config and packed.student is not None
    for folder in (recipe_runs["distill"], recipe_runs["evaluate"]):
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        assert {"teacher/bits_per_sample", "student/kl_nats_per_sample"} <= set(metrics)
        assert "<audio" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_finished_run_is_not_trained_again(recipe_runs, sentences, capsys):
    run = recipe_runs["teacher"]
    before = (run / "teacher.safetensors").stat().st_mtime_ns
    assert main(["teacher", f"resume={run}"]) == 0
    assert (run / "teacher.safetensors").stat().st_mtime_ns == before
    assert f"wavegen distill teacher_checkpoint={run}" in capsys.readouterr().out

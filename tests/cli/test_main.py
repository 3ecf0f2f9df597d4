"""The command line, on a small house of recipes made for the purpose, and the real house's help."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wavegen import __version__
from wavegen.cli.main import main
from wavegen.cli.recipes import find_recipes
from wavegen.resources import resource_directory


@pytest.fixture
def run(house: Path, capsys: pytest.CaptureFixture[str]):
    def call(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments, recipes=house / "recipes", configs=house / "configs")
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


# Free text -------------------------------------------------------------------------------------------------


def test_text_survives_a_real_command_line(house: Path, tmp_path: Path) -> None:
    text = """ it's "3, 4" = {5} [6] ${seed} \\ über~ $HOME `ls` 🎉\nnext line """
    output = tmp_path / "a, b = {c}.yaml"
    code = (
        "import sys; from pathlib import Path; from wavegen.cli.main import main;"
        "sys.exit(main(recipes=Path(sys.argv.pop(1)), configs=Path(sys.argv.pop(1))))"
    )
    directories = [str(house / "recipes"), str(house / "configs")]
    arguments = ["speak", f"text={text}", f"output={output}", "seed=0"]
    subprocess.run([sys.executable, "-c", code, *directories, *arguments], check=True)
    import yaml

    written = yaml.safe_load(output.read_text(encoding="utf-8"))
    assert written["text"] == text
    assert written["seed"] == 0


# Mistakes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "said"),
    [("sead=3", "speak has no key 'sead'; did you mean seed?"), ("--multirun", "unknown option --multirun")],
)
def test_mistakes_become_one_sentence(run, argument: str, said: str) -> None:
    status, out, err = run("speak", argument)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {said}") and err.count("\n") == 1, err


def test_a_value_without_default_is_asked_for(run, tmp_path: Path) -> None:
    status, _, err = run("speak", "corpus=folder", f"output={tmp_path / 'out.yaml'}")
    assert (status, err) == (2, "error: corpus.root must be given: add corpus.root=…\n")


@pytest.mark.parametrize("option", [[], ["--help"], ["--config"]])
def test_a_choice_without_its_package_is_named(option, tmp_path: Path, capsys) -> None:
    configs = tmp_path / "configs"
    shutil.copytree(resource_directory("configs"), configs)
    text = (configs / "front_end" / "espeak.yaml").read_text(encoding="utf-8")
    mine = configs / "front_end" / "mine.yaml"
    mine.write_text(text.partition("\n")[2], encoding="utf-8")
    assert main(["prepare", *option, "front_end=mine"], configs=configs) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith(
        f"error: {mine} would put its settings below front_end: its first line must be '# @package"
    )
    assert main(["prepare", "--config"], configs=configs) == 0, "the other choices are as they were"


def test_a_reference_to_no_value_is_named(run) -> None:
    status, out, err = run("fail", "how=reference")
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert err.startswith("error: reference refers to a value that cannot be found: ")
    assert "nothing.of_the_kind" in err


def test_unknown_recipe_suggests_the_nearest(run) -> None:
    status, _, err = run("speek", "seed=1")
    assert status == 2
    assert "no recipe 'speek', expected one of fail, speak; did you mean speak?" in err


def test_recipe_without_configuration(run, house: Path) -> None:
    script = house / "recipes" / "audio" / "bare.py"
    script.write_text('"""Bare."""\n')
    try:
        status, _, err = run("bare")
    finally:
        script.unlink()
    assert status == 2
    assert "recipe bare has no configuration: expected" in err and "bare.yaml" in err


# How a run may end -----------------------------------------------------------------------------------------


def test_user_error_is_one_line_and_its_traceback_on_demand(run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("fail", "how=user") == (2, "", "error: corpus/x.wav: expected 16000 Hz, got 8000 Hz\n")
    monkeypatch.setenv("WAVEGEN_TRACEBACK", "1")
    status, _, err = run("fail", "how=user")
    assert status == 2
    assert "Traceback" in err and err.endswith("error: corpus/x.wav: expected 16000 Hz, got 8000 Hz\n")


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run of recipe ``fail`` is there to be resumed."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "runs" / "a b" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("how: defect\n", encoding="utf-8")


@pytest.mark.parametrize("how", ["interrupt", "interrupt-in-lightning"])
def test_interrupt_says_how_to_resume(run, begun, how: str) -> None:
    status, _, err = run("fail", f"how={how}")
    assert status == 130
    assert "Traceback" not in err
    assert "wavegen fail resume='runs/a b'" in err


def test_what_was_not_begun_is_not_to_be_resumed(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("fail", "how=interrupt") == (130, "", "\ninterrupted: the same command starts it again\n")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_recipe_at_once_and_says_how_to_resume(
    run, begun, heeded_signals, signum: signal.Signals
) -> None:
    before = signal.getsignal(signum)
    status, out, err = run("fail", "how=signal", f"signum={signum.value}")
    assert (status, out) == (128 + signum, "")
    assert err == f"\n{signum.name}: go on with `wavegen fail resume='runs/a b'`\n"
    assert signal.getsignal(signum) == before


def test_what_a_training_saved_is_said(run, begun) -> None:
    status, _, err = run("fail", "how=signal-in-training", "signum=2")
    saved = "interrupted: the teacher is saved at step 7; go on with `wavegen fail resume='runs/a b'`"
    assert (status, err) == (130, f"\n{saved}\n")


def test_a_signal_before_anything_runs_is_one_word(
    run, heeded_signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wavegen.cli.main._load", lambda *_: None)
    monkeypatch.setattr("wavegen.cli.composition.compose_config", lambda *_, **__: os.kill(os.getpid(), 15))
    assert run("fail") == (143, "", "\nSIGTERM\n")


@pytest.mark.parametrize("how", ["disk", "disk-in-library"])
def test_full_disk_is_said(run, how: str) -> None:
    status, _, err = run("fail", f"how={how}")
    assert status == 2
    assert err.startswith("error: the disk is full (") and os.strerror(errno.ENOSPC) in err


def test_defects_keep_their_traceback_and_exits_their_status(run) -> None:
    with pytest.raises(ZeroDivisionError):
        run("fail")
    with pytest.raises(SystemExit) as exit_:
        run("fail", "how=exit")
    assert exit_.value.code == 7


# Help ------------------------------------------------------------------------------------------------------


def test_overview_lists_recipes_and_examples(run) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        status, out, err = run(*arguments)
        assert (status, err) == (0, "")
        assert "usage: wavegen <recipe> [key=value ...]" in out
        assert "speak  Speaks a sentence." in out
        assert "examples\n  wavegen speak text=Hello\n" in out


def test_recipe_help_comes_from_its_files(run) -> None:
    status, out, _ = run("speak", "--help")
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "The second paragraph." in lines
    corpus = lines.index("corpus")
    assert lines[corpus + 1 : corpus + 3] == ["folder Recordings.", "spoken* A voice speaks it."]
    experiment = lines.index("experiment")
    assert lines[experiment + 1 : experiment + 3] == ["null* none of them", "loud"]
    assert "seed=1 what is random derives from it" in lines
    assert 'text=null the sentence, or "-" # for standard input' in lines
    assert "gain_db=1.5 loudness of the output, in decibels" in lines
    assert "student.layers=[10, 30] per flow" in lines
    assert "student.channels=64" in lines
    assert lines[-3:] == [
        "examples",
        "wavegen speak text=Hello",
        'wavegen speak text="Hello, world" output=hello.wav',
    ]
    assert "_verbatim_" not in out


def test_recipe_help_describes_a_choice_on_demand(run) -> None:
    status, out, _ = run("speak", "--help", "corpus=folder", "corpus.root=/x", "trainer=none-such")
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    settings = lines.index("settings of corpus=folder")
    assert lines[settings + 1 : settings + 4] == ["corpus.name=folder", "corpus.root=??? where it lies", ""]


def test_help_into_a_closed_pipe_is_quiet() -> None:
    code = "import sys; from wavegen.cli.main import main; sys.stdin.read(); sys.exit(main(['--help']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    process.stdin.close()  # now it writes, and nobody listens
    assert process.stderr.read() == ""
    assert process.wait() == 0


def test_config_prints_what_would_run(run) -> None:
    import yaml

    status, out, _ = run("speak", "--config", "seed=0", "experiment=loud")
    assert status == 0
    shown = yaml.safe_load(out)
    assert (shown["seed"], shown["gain_db"]) == (0, 12.0)


def test_version(run) -> None:
    assert run("--version") == (0, f"wavegen {__version__}\n", "")


def test_help_waits_for_no_heavy_library() -> None:
    code = (
        "import json, sys; from wavegen.cli.main import main; main(['--help']);"
        "print(json.dumps(sorted({'torch', 'hydra', 'lightning', 'librosa'} & set(sys.modules))))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout.splitlines()[-1]) == []


# The real house --------------------------------------------------------------------------------------------


def test_every_real_recipe_has_help_and_a_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    recipes = find_recipes(resource_directory("recipes"))
    assert list(recipes)[:5] == ["prepare", "teacher", "distill", "synthesize", "evaluate"]
    for recipe in recipes:
        assert main([recipe, "--help"]) == 0
        out = capsys.readouterr().out
        assert f"wavegen {recipe}" in out.partition("examples")[2], (
            f"{recipe}.yaml shows no command at its top"
        )
        assert main([recipe, "--config"]) == 0
        assert "_verbatim_" not in capsys.readouterr().out


TEACHER_GROUPS = (
    "its groups are corpus, front_end, layout, prosody, conditioning, source_filter, teacher, "
    "optimisation@source_filter_training, optimisation@teacher_training, trainer"
)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("synthesize txt=hello", "synthesize has no key 'txt'; did you mean text?"),
        ("synthesize text_fil=a.txt", "synthesize has no key 'text_fil'; did you mean text_file or text?"),
        ("flow flow_modle=glow", "flow has no key 'flow_modle'; did you mean flow_model?"),
        (
            "distill max_step=3",
            "distill has no key 'max_step'; did you mean source_filter_training.max_steps or "
            "teacher_training.max_steps or student_training.max_steps?",
        ),
        ("teacher student=tiny", f"the recipe teacher has no group student; {TEACHER_GROUPS}"),
        ("teacher +student=tiny", f"the recipe teacher has no group student; {TEACHER_GROUPS}"),
        (
            "teacher optimisation=teacher",
            f"the recipe teacher has no group optimisation; {TEACHER_GROUPS}",
        ),
        ("teacher corpus@x=espeak", f"the recipe teacher has no group corpus@x; {TEACHER_GROUPS}"),
        ("synthesize corpus=espeak", "the recipe synthesize has no group corpus; it has no groups"),
        ("benchmark teacher=tiny", "teacher holds several settings: expected teacher.NAME=…, got tiny"),
        (
            "distill experiment=mnist_glow",
            "experiment=mnist_glow is for the recipe flow, not distill: expected one of ljspeech_cpu, "
            "parallel_wavenet",
        ),
        (
            "distill experiment=nonsense",
            "experiment=nonsense: no such choice, expected one of ljspeech_cpu, parallel_wavenet",
        ),
        (
            "teacher experiment=ljspeech_cpu",
            "experiment=ljspeech_cpu is for the recipe distill, not teacher: teacher has no experiment",
        ),
        (
            "gallery optimisation=duality",
            "optimisation=duality is for the recipe duality, not gallery: expected gallery",
        ),
        (
            "distill optimisation@teacher_training=student",
            "optimisation@teacher_training=student is for another training: expected teacher",
        ),
        (
            "flow context=null",
            "context=null: flow needs a context, expected one of labels, none",
        ),
        ("flow ~context", "~context: flow needs a context, expected one of labels, none"),
    ],
)
def test_mistakes_in_real_commands_are_said_in_the_recipe_s_own_words(
    command: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command.split()) == 2
    assert capsys.readouterr().err == f"error: {sentence}\n"

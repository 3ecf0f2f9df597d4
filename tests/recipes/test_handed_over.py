"""Folders that somebody handed over, from the command line: nothing in them runs, or is written elsewhere.

Each is refused with one sentence and status 2.
"""

import json

import pytest
from omegaconf import OmegaConf

from wavegen.cli.composition import compose_config
from wavegen.cli.main import main
from wavegen.resources import resource_directory
from wavegen.runs.folder import resume_config
from wavegen.runs.manifest import write_manifest
from wavegen.runs.weights import build_model, save_weights
from wavegen.untrusted.parts import describe

CONFIGS = resource_directory("configs")
PROOF, RUN = "PROOF", "RUN"  # stand for the file that must not appear, and for the run
INSTANTIATE = "lightning.pytorch.cli.instantiate_class"
COMMAND = f"{{_target_: {INSTANTIATE}, args: touch {PROOF}, init: {{class_path: os.system}}}}"
SCRIPT = f"{{_target_: wavegen.cli.main._load, recipe: x, script: {RUN}/evil.py}}"
FILE = f"{{_target_: wavegen.files.write_bytes, path: {PROOF}, content: !!binary aGVsbG8=}}"
PLACES = [
    ("teacher", "corpus.pitch"),
    ("distill", "corpus.front_end"),
    ("flow", "data"),
    ("gallery", "models.planar"),
    ("duality", "targets.two_crescents"),
]


def content_of(recipe, *words):
    """What a run of the recipe writes into its ``config.yaml``."""
    config = compose_config(recipe, words, configs=CONFIGS)
    if "voice" in config:
        config.voice = {"sample_rate": 8000, "hop_samples": 40, "num_features": 300}
    if "event" in config:
        event = {"name": "x", "image_shape": [1, 8, 8], "num_levels": 17}
        config.event = {**event, "features": None, "context_features": 0}
    return OmegaConf.create(OmegaConf.to_container(config, resolve=True))


@pytest.fixture
def hand_over(tmp_path):
    """``hand_over(recipe, *words)(key, yaml)``: a run whose configuration holds ``yaml`` at ``key``."""

    def begin(recipe, *words):
        run = tmp_path / "run"
        run.mkdir()
        content = content_of(recipe, f"run={run}", *words)

        def change(key, node):
            OmegaConf.update(content, key, "THE NODE", force_add=True)
            text = OmegaConf.to_yaml(content).replace("THE NODE", node)
            (run / "config.yaml").write_text(text, encoding="utf-8")
            return run

        return change

    return begin


def refused(capsys, *words):
    assert main([*words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), lines
    return lines[0]


@pytest.mark.parametrize("recipe, key", PLACES)
@pytest.mark.parametrize("node", [COMMAND, SCRIPT, FILE], ids=["command", "script", "file"])
def test_a_run_handed_over_executes_nothing(hand_over, tmp_path, capsys, monkeypatch, recipe, key, node):
    monkeypatch.chdir(tmp_path)
    proof, run = tmp_path / "proof", tmp_path / "run"
    few = {"gallery": ["trainer.num_jobs=1"], "duality": ["trainer.num_jobs=1"]}.get(recipe, [])
    hand_over(recipe, *few)(key, node.replace(PROOF, str(proof)).replace(RUN, str(run)))
    (run / "evil.py").write_text(f"open({str(proof)!r}, 'w').close()", encoding="utf-8")
    message = refused(capsys, recipe, f"resume={run}")
    assert f"{run / 'config.yaml'}" in message
    assert "the tag tag:yaml.org,2002:binary" in message if node is FILE else key in message
    assert not proof.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    assert sorted(path.name for path in run.iterdir()) == ["config.yaml", "evil.py"]


@pytest.mark.parametrize(
    "recipe, key, node, reason",
    [
        ("teacher", "corpus.pitch.min_hz", "[1]", "corpus.pitch.min_hz is [1], expected a number"),
        ("teacher", "trainer.default_root_dir", "/tmp", "trainer.default_root_dir is '/tmp'"),
        ("teacher", "trainer.callbacks", "[{_target_: wavegen.flows.Affine}]", "trainer.callbacks is ["),
        ("teacher", "teacher.wavenet.residual_channels", "1000000000000", "whole number up to 65536"),
        ("teacher", "teacher_training.optimizer.lr", "high", "teacher_training.optimizer.lr is 'high'"),
        ("teacher", "seed", "${oc.env:HOME}", "interpolation"),
        ("teacher", "corpus.source._convert_", "all", "the key '_convert_'"),
        ("teacher", "corpus", "null", "corpus is None, expected a group of settings"),
        ("teacher", "corpus.directory", "null", "corpus.directory is None"),
        ("distill", "evaluation.run_directory", "/etc", "evaluation has the unknown key 'run_directory'"),
        (
            "distill",
            "objective.divergence.loss.draws",
            "{_target_: wavegen.flows.Affine, _partial_: true}",
            "draws is",
        ),
        ("flow", "data.seed", "half", "data.seed is 'half', expected a whole number"),
        ("gallery", "models", "{planar: {_target_: torch.nn.Linear}}", "'torch.nn.Linear'"),
    ],
)
def test_settings_of_another_kind_are_named(hand_over, capsys, recipe, key, node, reason):
    run = hand_over(recipe)(key, node)
    assert reason in refused(capsys, recipe, f"resume={run}")


def test_a_resumed_run_prepares_no_corpus(hand_over, sentences, tmp_path, capsys):
    """It would be written wherever the configuration says."""
    words = ["corpus.num_dev=1", "corpus.num_test=1", "corpus.num_jobs=1"]
    run = hand_over("teacher", *words, f"corpus.source.sentences={sentences}")(
        "corpus.directory", str(tmp_path / "elsewhere")
    )
    message = refused(capsys, "teacher", f"resume={run}")
    assert f"no corpus in corpus.directory={tmp_path / 'elsewhere'}" in message
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "recipe, group", [("gallery", "datasets"), ("gallery", "models"), ("duality", "targets")]
)
def test_weights_are_written_into_the_run_only(hand_over, tmp_path, capsys, recipe, group):
    words = ["trainer.num_jobs=1", "optimisation.max_steps=1"]
    change = hand_over(recipe, *words)
    entry = next(iter(content_of(recipe)[group].values()))
    run = change(group, json.dumps({"../../escaped/x": OmegaConf.to_container(entry)}))
    assert f"{group} has the entry '../../escaped/x'" in refused(capsys, recipe, f"resume={run}")
    assert not (tmp_path / "escaped").exists() and not (run / "escaped").exists()


WAVENET = {
    "_target_": "wavegen.nets.wavenet.WaveNet",
    "_partial_": True,
    "dilations": [1, 2],
    "residual_channels": 4,
    "gate_channels": 4,
    "skip_channels": 0,
    "output_channels": 4,
}
TEACHER = {
    "_target_": "wavegen.models.speech.teacher.WaveNetTeacher",
    "head": {"_target_": "wavegen.distributions.heads.NormalHead", "min_log_scale": -9.0},
    "wavenet": WAVENET,
}


@pytest.fixture
def voice(mini_corpus, tmp_path):
    run = tmp_path / "voice"
    description = {"sample_rate": 8000, "hop_samples": 40, "encoder": mini_corpus.encoder.to_dict()}
    description |= {"front_end": describe(mini_corpus.front_end), "prosody": describe(mini_corpus.prosody)}
    write_manifest(run, {"teacher": TEACHER}, description)
    save_weights(run, "teacher", build_model(TEACHER, source="test"))
    return run


def rewrite(run, change):
    content = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    change(content)
    (run / "manifest.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("recipe", ["synthesize", "evaluate", "distill"])
@pytest.mark.parametrize(
    "change, reason",
    [
        (
            lambda c, run: c["models"].update(teacher=json.loads(COMMAND_JSON)),
            "names the target 'lightning.pyt",
        ),
        (
            lambda c, run: c["models"].update(teacher=json.loads(SCRIPT_JSON)),
            "names the target 'wavegen.cli.main._",
        ),
        (
            lambda c, run: c["models"].update(
                teacher={"_target_": "wavegen.runs.voice.load_voice", "run": f"{run}/../other"}
            ),
            "names the target 'wavegen.runs.voice.load_voice'",
        ),
        (
            lambda c, run: c["models"]["teacher"]["head"].update(min_log_scale="-9"),
            "head.min_log_scale is '-9'",
        ),
        (
            lambda c, run: c.update(sample_rate=8 * 10**12, hop_samples=4 * 10**10),
            "sample_rate 8000000000000",
        ),
    ],
    ids=["command", "script", "function", "argument", "rate"],
)
def test_a_voice_handed_over_executes_nothing(voice, mini_corpus, tmp_path, capsys, recipe, change, reason):
    other = tmp_path / "other"
    other.mkdir()
    for path in voice.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    rewrite(voice, lambda content: change(content, voice))
    words = {
        "synthesize": [
            f"checkpoint={voice}",
            "text=hello",
            "model=teacher",
            f"output={tmp_path / 'a.wav'}",
        ],
        "evaluate": [f"checkpoint={voice}", f"corpus.directory={mini_corpus.directory}"],
        "distill": [f"teacher_checkpoint={voice}", f"run={tmp_path / 'run'}", *corpus_words(mini_corpus)],
    }[recipe]
    message = refused(capsys, recipe, *words)
    assert str(voice / "manifest.json") in message and reason in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "voice"]


COMMAND_JSON = '{"_target_": "lightning.pytorch.cli.instantiate_class", "args": "x", "init": {}}'
SCRIPT_JSON = '{"_target_": "wavegen.cli.main._load", "recipe": "x", "script": "evil.py"}'


def corpus_words(corpus):
    settings = json.loads((corpus.directory / "settings.json").read_text(encoding="utf-8"))
    sentences = corpus.directory.parent / "sentences.txt"
    assert settings["split"] == {"seed": 0, "num_dev": 2, "num_test": 2}
    words = [f"corpus.directory={corpus.directory}", f"corpus.source.sentences={sentences}"]
    return [*words, "corpus.num_dev=2", "corpus.num_test=2"]


@pytest.mark.parametrize("name", ["../../voice", "!v/f3", "en-us+" + "x" * 60])
def test_an_espeak_voice_that_is_a_path_is_named(voice, tmp_path, capsys, name):
    """espeak reads a file of that name, and such a one ends the process."""
    rewrite(voice, lambda content: content["front_end"].update(voice=name))
    words = [f"checkpoint={voice}", "text=hello", "model=teacher", f"output={tmp_path / 'a.wav'}"]
    assert f"the espeak voice '{name}' is not a valid name" in refused(capsys, "synthesize", *words)


def test_a_run_with_parts_of_ones_own_says_how_it_goes_on(tmp_path, capsys, monkeypatch):
    """What was typed is trusted; what lies in a folder is not, though it be the same."""
    (tmp_path / "my_targets.py").write_text(
        "from wavegen.data.plane import Moons\nclass Mine(Moons): pass\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = tmp_path / "run"
    words = ["+datasets.mine={_target_: my_targets.Mine}", "optimisation.max_steps=2", "trainer.num_jobs=1"]
    words += ["evaluation.num_points=100", "evaluation.resolution=8", f"run={run}"]
    left_out = {"models": "planar radial sylvester iaf real_nvp neural_spline"}
    left_out["datasets"] = "moons rings pinwheel checkerboard"
    words += [f"{group}.{name}=null" for group, names in left_out.items() for name in names.split()]
    assert main(["gallery", *words]) == 0
    message = refused(capsys, "gallery", f"resume={run}")
    assert "datasets.mine names the target 'my_targets.Mine'" in message
    assert "repeat the command that started it, without resume=" in message
    written = (run / "weights" / "mine-maf.safetensors").stat().st_mtime_ns
    assert main(["gallery", *words]) == 0
    assert (run / "weights" / "mine-maf.safetensors").stat().st_mtime_ns == written


def test_an_untouched_configuration_can_be_resumed(hand_over, mini_corpus):
    run = hand_over("teacher")("corpus.directory", str(mini_corpus.directory))
    config = resume_config(compose_config("teacher", [f"resume={run}"], configs=CONFIGS))
    assert (config.run, config.resume, config.corpus.name) == (str(run), None, "espeak")


@pytest.mark.parametrize("words", [["resume={run}"], ["run={run}"]])
def test_links_out_of_a_run_are_not_followed(hand_over, tmp_path, capsys, words):
    run = hand_over("duality", "trainer.num_jobs=1")("seed", "0")
    letters = tmp_path / "letters.txt"
    letters.write_text("dear all", encoding="utf-8")
    (run / "figures").mkdir()
    (run / "figures" / "here.png").symlink_to(run / "config.yaml")
    (run / "metrics.json").symlink_to(letters)
    message = refused(capsys, "duality", *(word.format(run=run) for word in words))
    assert f"{run / 'metrics.json'} is a link out of the run folder, to {letters}" in message
    assert letters.read_text(encoding="utf-8") == "dear all"

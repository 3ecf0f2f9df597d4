"""What a configuration may call is what the project's own configurations name: no more, and no less."""

import inspect
import re
import shlex
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml
from hydra.utils import get_object
from omegaconf import OmegaConf

from wavegen.cli.composition import compose_config
from wavegen.errors import UserError
from wavegen.resources import resource_directory
from wavegen.untrusted import targets
from wavegen.untrusted.arguments import check_calls
from wavegen.untrusted.targets import allowed_targets, model_parts, refuse_foreign_targets

CONFIGS = resource_directory("configs")
FILES = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml"))
ROOT = Path(__file__).parents[2]
NAME = r"((?:wavegen|torch|lightning)(?:\.\w+)+)"
TYPED = re.compile(rf"_target_(?:=|: ?){NAME}(?![\w.])")


def named_in(node):
    """Every ``_target_`` of a file as YAML sees it."""
    if isinstance(node, dict):
        own = {node["_target_"]} if "_target_" in node else set()
        return own.union(*map(named_in, node.values()))
    return set().union(*map(named_in, node)) if isinstance(node, list) else set()


def test_every_target_of_the_configurations_is_allowed_and_few_are_not_ours():
    texts = [(CONFIGS / file).read_text(encoding="utf-8") for file in FILES]
    assert set().union(*(named_in(yaml.safe_load(text)) for text in texts)) <= allowed_targets()
    foreign = {name for name in allowed_targets() if not name.startswith("wavegen.")}
    assert foreign == {"lightning.Trainer", "torch.optim.Adam", "torch.optim.AdamW"}


def test_a_file_more_is_a_target_more(tmp_path, monkeypatch):
    """A loss, a front end, a model: naming it in configs/ is all that it takes."""
    (tmp_path / "a.yaml").write_text("loss: {_target_: wavegen.x.Y}  # or wavegen.z.W, or os.system\n")
    monkeypatch.setattr(targets, "resource_directory", lambda name: tmp_path)
    targets.allowed_targets.cache_clear()
    try:
        assert targets.allowed_targets() == {"wavegen.x.Y", "wavegen.z.W"}
    finally:
        targets.allowed_targets.cache_clear()


@pytest.mark.parametrize("pages", ["README.md", "docs/*.md", "benchmarks/*.py"])
def test_what_is_documented_is_allowed(pages):
    text = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob(pages))
    documented = {name for name in TYPED.findall(text) if not name.endswith(".NAME.CLASS")}
    assert documented and documented <= allowed_targets()


@pytest.mark.parametrize("target", sorted(allowed_targets()))
def test_every_target_is_a_class_or_function_whose_arguments_are_annotated(target):
    """What has no annotation would never fit; ``*args`` and ``**kwargs`` admit nothing."""
    function = get_object(target)
    assert inspect.isclass(function) or inspect.isfunction(function)
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    assert {parameter.name for parameter in parameters if parameter.kind not in starred} <= hints.keys()
    assert inspect.isclass(function) or "return" in hints


RESUMABLE = ("teacher", "distill", "flow", "gallery", "duality")


def commands():
    """What stands at the top of the files of all groups, and the recipes that can be resumed."""
    for file in FILES:
        text = (CONFIGS / file).read_text(encoding="utf-8")
        yield from re.findall(
            r"^# wavegen ((?:teacher|distill|flow|gallery|duality)\b.*)$", text, re.MULTILINE
        )
    yield "distill corpus=ljspeech corpus.root=DIR"
    yield "teacher corpus.pitch._target_=wavegen.audio.pitch.PyinPitch +trainer.deterministic=true"
    yield "distill trainer.devices=auto '+student_training.optimizer.betas=[0.9,0.98]'"


@pytest.mark.parametrize("command", [*commands()])
def test_every_command_of_a_configuration_gives_a_run_that_can_be_resumed(command):
    recipe, *words = shlex.split(command)
    config = compose_config(recipe, words, configs=CONFIGS)
    if "voice" in config:
        config.voice = {
            "sample_rate": 16000,
            "hop_samples": 80,
            "num_features": 300,
        }
    if "event" in config:
        images = {
            "name": "x",
            "image_shape": [1, 8, 8],
            "num_levels": 17,
            "features": 3,
            "context_features": 0,
        }
        config.event = images
    content = OmegaConf.to_container(config, resolve=True)
    refuse_foreign_targets(content, "config.yaml")
    check_calls(content, "config.yaml")


@pytest.mark.parametrize("depth", ["{node}", "a: {node}", "a: [1, {{b: {node}}}]"])
@pytest.mark.parametrize(
    "node, reason",
    [
        (
            "{_target_: lightning.pytorch.cli.instantiate_class, init: {class_path: os.system}}",
            "names the target",
        ),
        (
            "{_target_: wavegen.cli.main._load, recipe: x, script: evil.py}",
            "names the target 'wavegen.cli.main._load'",
        ),
        ("{_target_: wavegen.files.write_bytes, path: x, content: y}", "names the target"),
        ("{_target_: hydra.utils.get_method, path: os.system}", "names the target"),
        ("{_target_: lightning.fabric.Fabric}", "names the target"),
        ("{_target_: torch.optim.adam.Adam}", "names the target"),
        ("{_target_: wavegen.flows.Affine.__class__}", "names the target"),
        ("{_target_: ' wavegen.flows.Affine'}", "names the target"),
        ("{_target_: [wavegen.flows.Affine]}", "names the target"),
        ("{_target_: {_target_: wavegen.flows.Affine}}", "names the target"),
        ("{_target_: null}", "names the target None"),
        ("{_target_: wavegen.flows.Affine, _args_: [1]}", "the key '_args_'"),
        ("{_target_: wavegen.flows.Affine, _recursive_: false}", "the key '_recursive_'"),
        ("{_target_: wavegen.flows.Affine, _convert_: all}", "the key '_convert_'"),
        ("{_recursive_: false}", "the key '_recursive_'"),
        ("{__class__: x}", "the key '__class__'"),
        ("{_target_: wavegen.flows.Affine, _partial_: 1}", "_partial_ must be true or false"),
        ("{_partial_: true, x: 1}", "_partial_ must be true or false"),
        ("{x: '${oc.env:HOME}'}", "the interpolation"),
        ("{x: 'a ${oc.create:{_target_:os.getpid}}'}", "the interpolation"),
        ("{1: x}", "the key 1"),
        ("{x: 2020-01-01}", "contains a date"),
    ],
)
def test_anything_else_is_refused(node, reason, depth):
    content = yaml.safe_load(depth.format(node=node))
    with pytest.raises(UserError, match=f"^config.yaml.*{re.escape(reason)}"):
        refuse_foreign_targets(content, "config.yaml")


def test_models_are_made_of_parts_of_models():
    assert model_parts() < allowed_targets()
    readers = {name for name in allowed_targets() if ".data." in name} | {"lightning.Trainer"}
    assert readers and not readers & model_parts()

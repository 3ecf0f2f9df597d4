"""Words of a command line become one configuration; free text arrives as it is, mistakes are one sentence."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError

from wavegen.cli.composition import as_literal, compose_config
from wavegen.errors import UserError
from wavegen.resources import resource_directory


def _compose(house: Path, *arguments: str):
    return compose_config("speak", arguments, configs=house / "configs")


@given(text=st.text())
@example(text="???")
@example(text="${seed}")
@example(text=r"\${seed} \\${seed} \\\${")
@example(text="${unclosed")
@example(text="null")
@example(text="text=a, 'b' = \"c\" {d: [e]} ~f +g")
@example(text="  Grüße, 世界 🎉\n\ttab  ")
@example(text="")
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_text_arrives_as_it_was_given(house: Path, text: str) -> None:
    config = _compose(house, f"text={text}", f"output={text}", "corpus=folder", f"corpus.root={text}")
    assert config.text == config.output == config.corpus.root == text


def test_plus_before_a_text_key_changes_nothing(house: Path) -> None:
    assert _compose(house, "+text=a,b").text == "a,b"


def test_overrides_groups_and_overlays_reach_the_configuration(house: Path) -> None:
    config = _compose(
        house,
        "seed=0",
        "fast=true",
        "gain_db=-3",
        "student.layers=[1,2,3]",
        "trainer.devices=auto",
        "+extra.a=1",
    )
    assert (config.seed, config.fast, config.gain_db, list(config.student.layers)) == (0, True, -3, [1, 2, 3])
    assert (config.trainer.devices, config.extra.a) == ("auto", 1)
    assert _compose(house, "experiment=loud").gain_db == 12.0
    assert _compose(house, "corpus=folder").corpus.name == "folder"
    assert "_verbatim_" not in config


@pytest.mark.parametrize(
    ("argument", "fragments"),
    [
        ("sead=3", ["speak has no key 'sead'", "did you mean seed"]),
        ("channels=3", ["no key 'channels'", "did you mean student.channels"]),
        ("corpus.root=/a", ["no key 'corpus.root'"]),
        ("zzzz=1", ["no key 'zzzz'", "wavegen speak --help"]),
        ("~zzzz", ["no key 'zzzz'"]),
        ("trainer.max_step=3", ["did you mean trainer.max_steps", "+trainer.max_step=…"]),
        ("corpus=spoke", ["corpus=spoke: no such choice", "folder, spoken"]),
        ("corpus=3", ["corpus=3: no such choice, expected one of folder, spoken"]),
        ("seed=abc", ["seed: expected a whole number such as 1, got abc"]),
        ("seed=1.5", ["seed: expected a whole number", "got 1.5"]),
        ("seed=null,1", ["reads as several values"]),
        ("corpus.folder=1", ["no key 'corpus.folder'"]),
        ("corpus.root=???", ["speak has no key 'corpus.root'"]),
        ("+student=3", ["student holds several settings"]),
        ("corpus=[spoken,none]", ["corpus=none: no such choice"]),
        ("seed=true", ["seed: expected a whole number", "got true"]),
        ("fast=1", ["fast: expected true or false", "got 1"]),
        ("gain_db=loud", ["gain_db: expected a number such as 1.5, got loud"]),
        ("student=3", ["student holds several settings: expected student.NAME=…"]),
        ("seed=1,2", ["seed=1,2 reads as several values"]),
        ("gain_db=(", ["cannot read the override gain_db=("]),
        ("student.layers=[1", ["cannot read the override student.layers=[1"]),
        ("Hello", ["'Hello' is no override: expected key=value"]),
        ("=3", ["'=3' is no override"]),
        ("", ["'' is no override"]),
        ("--multirun", ["unknown option --multirun"]),
    ],
)
def test_mistakes_become_one_sentence(house: Path, argument: str, fragments: list[str]) -> None:
    with pytest.raises(UserError) as raised:
        _compose(house, argument)
    said = str(raised.value)
    assert "\n" not in said
    for fragment in fragments:
        assert fragment in said


def test_synthesize_speaks_any_text() -> None:
    text = "a, b = {c} ${d} 'e' \"f\""
    config = compose_config(
        "synthesize",
        [f"text={text}", f"checkpoint={text}", f"output={text}"],
        configs=resource_directory("configs"),
    )
    assert config.text == config.checkpoint == config.output == text


def test_a_corpus_of_another_name_has_its_own_folder_utterances_and_runs() -> None:
    config = compose_config("distill", ["corpus.name=mine"], configs=resource_directory("configs"))
    assert (config.corpus.directory, config.corpus.source.name) == ("data/mine-8000", "mine")
    assert config.run == "runs/distill-mine-8000"


def test_unknown_keys_of_the_configuration_raise(house: Path) -> None:
    config = _compose(house)
    assert isinstance(config, DictConfig) and config.seed == 1
    with pytest.raises(ConfigAttributeError):
        config.sead  # noqa: B018
    with pytest.raises(ConfigAttributeError):
        config.student.sead = 1


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("gain_db=3", 3),
        ("seed=null", None),
        ("seed=${student.channels}", 64),
        ("trainer.max_steps=ten", "ten"),
        ("student={layers:[1],channels:2}", {"layers": [1], "channels": 2}),
    ],
)
def test_what_fits_a_key_is_taken(house: Path, argument: str, value: object) -> None:
    """A whole number for a number, nothing for anything, and whatever another library's class may take."""
    assert OmegaConf.select(_compose(house, argument), argument.partition("=")[0]) == value


def test_a_key_is_added_and_taken_out(house: Path) -> None:
    assert _compose(house, "+new.key=1").new.key == 1
    assert "gain_db" not in _compose(house, "~gain_db")
    with pytest.raises(UserError, match="^~corpus: speak needs a corpus, expected one of folder, spoken$"):
        _compose(house, "~corpus")


def test_a_key_of_the_chosen_group_can_be_given(house: Path) -> None:
    """The check of keys looks at the configuration that the chosen groups make."""
    config = _compose(house, "corpus.root=/a", "corpus=folder")
    assert config.corpus.root == "/a"


def test_a_mistake_within_a_file_names_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "speak.yaml").write_text(
        "defaults:\n  - corpus: gone\n  - _self_\nseed: 1\n", encoding="utf-8"
    )
    with pytest.raises(UserError, match="^cannot compose the configuration of speak: .*corpus/gone"):
        compose_config("speak", [], configs=tmp_path)


@pytest.mark.parametrize("name", ["speak.yaml", "corpus/spoken.yaml"])
def test_a_file_that_is_not_yaml_is_named_with_the_line(tmp_path: Path, name: str) -> None:
    files = {
        "speak.yaml": "defaults:\n  - corpus: spoken\n  - _self_\nseed: 1\n",
        "corpus/spoken.yaml": "name: spoken\n",
    }
    (tmp_path / "corpus").mkdir()
    for path, text in files.items():
        (tmp_path / path).write_text(text + "bad: [1, 2\nc: 3\n" * (path == name), encoding="utf-8")
    line = len(files[name].splitlines()) + 2
    with pytest.raises(
        UserError, match=f"{name}, line {line} is not valid YAML: expected ',' or '\\]'"
    ) as error:
        compose_config("speak", [], configs=tmp_path)
    assert "\n" not in str(error.value)


def test_a_key_given_twice_is_named_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "speak.yaml").write_text("seed: 1\na: 2\nseed: 3\n", encoding="utf-8")
    with pytest.raises(UserError, match="speak.yaml, line 3 is not valid YAML: found duplicate key seed"):
        compose_config("speak", [], configs=tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("objective.power.loss.sample_rate", r"\$\{voice.sample_rate\}"), ("teacher_checkpoint", "null")],
)
def test_a_key_without_a_value_of_its_own_cannot_be_taken_out(key: str, value: str) -> None:
    configs = resource_directory("configs")
    said = f"^~{key}: expected a key with a value, got {value}, which is null or filled in later; give it a"
    with pytest.raises(UserError, match=said):
        compose_config("distill", [f"~{key}"], configs=configs)
    config = compose_config("distill", ["~objective.power.loss.low_band_hz"], configs=configs)
    assert "low_band_hz" not in config.objective.power.loss


@given(text=st.text(st.sampled_from("$\\{}?a"), max_size=12))
@example(text="???")
def test_a_literal_reads_as_its_text(text: str) -> None:
    config = OmegaConf.create({"a": 1, "text": None})
    OmegaConf.update(config, "text", as_literal(text))
    assert config.text == text
    assert OmegaConf.to_container(config, resolve=True)["text"] == text


@pytest.mark.parametrize("argument", ["experiment=null", "~experiment"])
def test_none_may_be_chosen_where_none_is_the_default(argument: str) -> None:
    configs = resource_directory("configs")
    assert compose_config("flow", [argument], configs=configs) == compose_config("flow", [], configs=configs)


def test_folders_of_recordings_are_named_after_their_root(tmp_path):
    def folders(*words):
        config = compose_config("teacher", ["corpus=ljspeech", *words], configs=resource_directory("configs"))
        return config.corpus.directory, config.run

    (tmp_path / "anna").mkdir()
    first = folders(f"corpus.root={tmp_path / 'anna'}")
    assert first == ("data/anna-16000", "runs/teacher-anna-16000")
    assert (
        folders(f"corpus.root={tmp_path / 'anna'}/") == folders(f"corpus.root={tmp_path}/x/../anna") == first
    )
    assert folders("corpus.root=b, ${c}, {d}")[0] == "data/b, ${c}, {d}-16000"
    assert folders()[0] == "data/ljspeech-16000"  # where the missing root is what is said

"""The right to go on in a folder: which configuration may, and what of a stranger's is read."""

import pytest
from omegaconf import OmegaConf

from wavegen.cli.composition import compose_config
from wavegen.errors import UserError
from wavegen.resources import resource_directory
from wavegen.runs.folder import check_stored, first_difference, open_run, resume_config


def duality(*words):
    return compose_config("duality", words, configs=resource_directory("configs"))


def test_a_new_run_holds_its_resolved_configuration(tmp_path):
    run = open_run(duality(f"run={tmp_path / 'a' / 'b'}", "seed=3"))
    assert run == tmp_path / "a" / "b"
    written = OmegaConf.load(run / "config.yaml")
    assert written.seed == 3 and "${" not in (run / "config.yaml").read_text()


def test_the_same_configuration_may_go_on_and_another_may_not(tmp_path):
    words = [f"run={tmp_path}"]
    open_run(duality(*words))
    open_run(duality(*words, "trainer.num_jobs=3", "evaluation.num_points=7"))
    before = (tmp_path / "config.yaml").read_bytes()
    with pytest.raises(UserError, match=f"{tmp_path} contains a run with another 'seed'; give run= another"):
        open_run(duality(*words, "seed=5"))
    assert (tmp_path / "config.yaml").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="the run folder .*file/run cannot be created"):
        open_run(duality(f"run={tmp_path / 'file' / 'run'}"))


def test_links_are_followed_within_the_run_only(tmp_path):
    run = open_run(duality(f"run={tmp_path / 'run'}"))
    (run / "inside").symlink_to(run / "config.yaml")
    open_run(duality(f"run={run}"))
    (run / "figures").mkdir()
    (run / "figures" / "outside").symlink_to(tmp_path)
    with pytest.raises(UserError, match="figures/outside is a link out of the run folder, to "):
        open_run(duality(f"run={run}"))


def test_a_resumed_run_is_the_one_that_was_started(tmp_path):
    run = open_run(duality(f"run={tmp_path / 'run'}", "seed=9"))
    config = resume_config(duality(f"resume={run}", "seed=1"))
    assert (config.seed, config.run, config.resume) == (9, str(run), None)
    unchanged = duality("seed=1")
    assert resume_config(unchanged) is unchanged


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content.pop("targets"), "belongs to another recipe: it has no 'targets'"),
        (lambda content: content.update(targets=3), "targets is 3, expected a group of settings"),
        (lambda content: content["evaluation"].update(rm=1), "evaluation has the unknown key 'rm'"),
        (
            lambda content: content["targets"].update(x={"_target_": "os.system"}),
            "targets.x names the target 'os.system'.*repeat the command that started it",
        ),
    ],
)
def test_a_configuration_that_cannot_be_resumed_is_named(tmp_path, change, reason):
    run = open_run(duality(f"run={tmp_path / 'run'}"))
    content = OmegaConf.to_container(OmegaConf.load(run / "config.yaml"))
    change(content)
    (run / "config.yaml").write_text(OmegaConf.to_yaml(content))
    with pytest.raises(UserError, match=f"config.yaml.*{reason}"):
        resume_config(duality(f"resume={run}"))


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(UserError, match="is not a run folder: .*config.yaml is missing"):
        resume_config(duality(f"resume={tmp_path}"))


@pytest.mark.parametrize(
    ("left", "right", "key"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"a": 2}, "a"),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, "a.c"),
        ({"a": 1, "b": 1}, {"a": 1}, "b"),
        ({"a": 1}, {"a": 1, "z": 0}, "z"),
        ({"a": {"b": 1}}, {"a": [1]}, "a"),
        ({"a": [1, 2]}, {"a": [2, 1]}, "a"),
        ({"a": 0}, {"a": None}, "a"),
    ],
)
def test_the_first_difference_is_named_with_dots(left, right, key):
    assert first_difference(left, right) == key


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        ({"frame_mss": 20}, "objective.a.loss has the argument 'frame_mss', which"),
        (
            {"low_band_hz": "high", "resolutions_ms": [[1, 1]]},
            "objective.a.loss.low_band_hz is 'high', expected a num",
        ),
    ],
)
def test_arguments_that_would_be_refused_later_are_refused_at_the_start(loss, reason):
    target = "wavegen.objectives.power.PowerLoss"
    config = OmegaConf.create({"rate": 8000, "objective": {"a": {"loss": {"_target_": target, **loss}}}})
    with pytest.raises(UserError, match=reason):
        check_stored(config.objective, "objective")
    config.objective.a.loss = {"_target_": target, "resolutions_ms": [[1, 1]], "sample_rate": "${rate}"}
    check_stored(config.objective, "objective")


def test_parts_of_ones_own_are_not_held_to_annotations():
    """``resume=`` refuses them, and says what to do instead."""
    config = OmegaConf.create({"objective": {"a": {"loss": {"_target_": "nowhere.Loss", "x": {"y": 1}}}}})
    check_stored(config.objective, "objective")

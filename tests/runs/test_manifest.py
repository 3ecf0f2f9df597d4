import runpy
from pathlib import Path

import pytest

from wavegen.errors import UserError
from wavegen.runs.manifest import read_manifest, write_manifest

small_voice = runpy.run_path(str(Path(__file__).with_name("small_voice.py")))
assert_refused = small_voice["assert_refused"]


@pytest.mark.parametrize("content", [b"", b"{", b"no json", b"\xff\xfe\x00", b"[" * 100_000])
def test_garbage_for_a_description_is_named(run, content):
    (run / "manifest.json").write_bytes(content)
    assert_refused(run, run / "manifest.json", "JSON")


@pytest.mark.parametrize("content", [b"[]", b"3", b'{"format": 99}', b'{"format": "1"}', b"{}"])
def test_another_format_is_named(run, content):
    (run / "manifest.json").write_bytes(content)
    assert_refused(run, run / "manifest.json", "has format", "expected 2")


def test_models_and_facts_are_added_to_what_is_there(tmp_path):
    write_manifest(tmp_path, {"teacher": {"a": 1}}, {"sample_rate": 8000, "note": "ünï"})
    write_manifest(tmp_path, {"student": {"b": 2}}, {"sample_rate": 16000})
    assert read_manifest(tmp_path) == {
        "format": 2,
        "models": {"teacher": {"a": 1}, "student": {"b": 2}},
        "sample_rate": 16000,
        "note": "ünï",
    }


def test_a_model_that_is_written_again_is_replaced_whole(tmp_path):
    write_manifest(tmp_path, {"flow": {"a": 1, "b": 2}}, {})
    write_manifest(tmp_path, {"flow": {"a": 3}}, {})
    assert read_manifest(tmp_path)["models"] == {"flow": {"a": 3}}


def test_what_is_no_folder_of_a_run_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere does not exist, expected a run folder"):
        read_manifest(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is a file, not a run folder"):
        read_manifest(tmp_path / "file")
    with pytest.raises(UserError, match="is not the folder of a trained model: .*manifest.json is missing"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("models", ["[]", "null", "3"])
def test_models_of_another_kind_are_named(tmp_path, models):
    (tmp_path / "manifest.json").write_text(f'{{"format": 2, "models": {models}}}')
    with pytest.raises(UserError, match="manifest.json has no valid entry 'models', expected dict"):
        read_manifest(tmp_path)

"""A packed voice is the voice with rounded weights, in a folder of its own."""

import runpy
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from wavegen.errors import UserError
from wavegen.runs.manifest import write_manifest
from wavegen.runs.packing import pack_voice
from wavegen.runs.voice import load_voice
from wavegen.runs.weights import build_model, save_weights

small_voice = runpy.run_path(str(Path(__file__).with_name("small_voice.py")))
TEACHER, STUDENT, files = (small_voice[name] for name in ("TEACHER", "STUDENT", "files"))


@pytest.fixture
def trained(tmp_path, description):
    """A run with teacher, student, a configuration and things that are not packed."""
    run = tmp_path / "run"
    torch.manual_seed(0)
    write_manifest(run, {"teacher": TEACHER, "student": STUDENT}, description)
    for name, config in (("teacher", TEACHER), ("student", STUDENT)):
        save_weights(run, name, build_model(config, source="test"))
    (run / "config.yaml").write_text("seed: 0\n")
    (run / "checkpoints").mkdir()
    (run / "report.html").write_text("")
    return run


def test_packed_weights_are_the_rounded_ones(trained, tmp_path):
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "notes.txt").write_text("not of the voice")
    size_bytes = pack_voice(trained, tmp_path / "packed")
    content = files(tmp_path / "packed")
    assert content.pop("notes.txt") == b"not of the voice"
    names = ["SHA256SUMS", "config.yaml", "manifest.json", "student.safetensors", "teacher.safetensors"]
    assert sorted(content) == names
    assert size_bytes == sum(map(len, content.values()))
    before, after = load_voice(trained), load_voice(tmp_path / "packed")
    for name in ("teacher", "student"):
        for key, value in getattr(before, name).state_dict().items():
            packed = getattr(after, name).state_dict()[key]
            assert packed.dtype == value.dtype and torch.equal(packed, value.bfloat16().to(value.dtype)), key
            assert load_file(tmp_path / "packed" / f"{name}.safetensors")[key].dtype == torch.bfloat16


def test_float32_keeps_every_bit(trained, tmp_path):
    pack_voice(trained, tmp_path / "packed", "float32")
    for key, value in load_voice(trained).student.state_dict().items():
        assert torch.equal(load_voice(tmp_path / "packed").student.state_dict()[key], value)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_bit_that_flips_after_packing_is_refused(trained, tmp_path, precision):
    packed = tmp_path / "packed"
    pack_voice(trained, packed, precision)
    for name in ("teacher", "student"):
        path = packed / f"{name}.safetensors"
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(UserError, match=rf"{path} is damaged or was replaced"):
            load_voice(packed)
        with pytest.raises(UserError, match=rf"{path} is damaged or was replaced"):
            pack_voice(packed, tmp_path / "again")
        path.write_bytes(content)
    assert not (tmp_path / "again").exists()
    pack_voice(packed, tmp_path / "again", precision)
    assert files(tmp_path / "again") == files(packed)


def test_what_cannot_be_packed_is_named(trained, tmp_path):
    with pytest.raises(UserError, match="one of float32, bfloat16, got 'int8'"):
        pack_voice(trained, tmp_path / "packed", "int8")
    with pytest.raises(UserError, match="contains a voice already"):
        pack_voice(trained, trained)
    (trained / "config.yaml").unlink()
    with pytest.raises(UserError, match=r"config\.yaml is missing"):
        pack_voice(trained, tmp_path / "packed")
    with pytest.raises(UserError, match="does not exist"):
        pack_voice(tmp_path / "none", tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def test_what_a_killed_packing_left_is_not_a_voice_and_is_packed_over(trained, tmp_path):
    whole, partial = tmp_path / "whole", tmp_path / "partial"
    pack_voice(trained, whole)
    partial.mkdir()
    shutil.copy(whole / "teacher.safetensors", partial)
    (partial / "SHA256SUMS").write_text("0" * 64 + "  teacher.safetensors\n")  # of another packing
    with pytest.raises(UserError, match=r"manifest\.json is missing"):
        load_voice(partial)
    pack_voice(trained, partial)
    assert files(partial) == files(whole)

"""The repair, on a torchaudio made for the purpose: one that a shared object keeps from being imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from wavegen.audio import torchaudio_import
from wavegen.errors import UserError

BROKEN_BY_EXTENSION = """
from pathlib import Path

if list((Path(__file__).parent / "lib").glob("*.so")):
    raise OSError("Could not load this library: libcudart.so.13")
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a torch and a torchaudio before the installed ones, in this process and in those it starts."""

    def make(torchaudio: str, *, cuda: str | None = None) -> Path:
        package = tmp_path / "torchaudio"
        (package / "lib").mkdir(parents=True)
        (package / "__init__.py").write_text(torchaudio)
        (package / "functional.py").touch()
        (package / "transforms.py").touch()
        for name in ("_torchaudio.abi3.so", "libtorchaudio.abi3.so"):
            (package / "lib" / name).write_text("not loadable")
        (tmp_path / "torch.py").write_text(f"class version: cuda, hip = {cuda!r}, None\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(torchaudio_import, "_package_file", lambda: str(package / "__init__.py"))
        return package / "lib"

    return make


def test_the_installed_torchaudio_transforms() -> None:
    torchaudio = torchaudio_import.import_torchaudio()
    assert torchaudio.transforms.Resample(16_000, 8_000) is not None
    assert torchaudio_import.find_import_failure() is None


def test_repair_moves_the_extension_aside_once(fake) -> None:
    lib = fake(BROKEN_BY_EXTENSION)
    assert "libcudart.so.13" in torchaudio_import.find_import_failure()
    assert [path.name for path in torchaudio_import.repair()] == [
        "_torchaudio.abi3.so",
        "libtorchaudio.abi3.so",
    ]
    assert sorted(path.name for path in lib.iterdir()) == [
        "_torchaudio.abi3.so.aside",
        "libtorchaudio.abi3.so.aside",
    ]
    assert torchaudio_import.find_import_failure() is None
    assert torchaudio_import.repair() == []


def test_repair_leaves_a_working_torchaudio_alone(fake) -> None:
    lib = fake("")
    assert torchaudio_import.repair() == []
    assert all(path.suffix == ".so" for path in lib.iterdir())


def test_repair_leaves_a_cuda_torch_alone(fake) -> None:
    lib = fake(BROKEN_BY_EXTENSION, cuda="13.0")
    with pytest.raises(UserError, match="torch is not a CPU build"):
        torchaudio_import.repair()
    assert all(path.suffix == ".so" for path in lib.iterdir())


def test_repair_that_does_not_help_is_undone(fake) -> None:
    lib = fake("raise ImportError('of another reason')")
    with pytest.raises(UserError, match="even without its compiled extension .*of another reason"):
        torchaudio_import.repair()
    assert all(path.suffix == ".so" for path in lib.iterdir())


def test_failing_import_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    with pytest.raises(UserError, match="run `python -m wavegen.audio.torchaudio_import --repair`"):
        torchaudio_import.import_torchaudio()


def test_repair_command_can_be_started_while_torchaudio_is_broken() -> None:
    """Nothing that it imports on its way, the room's ``__init__`` included, may need torchaudio."""
    code = "import sys; sys.modules['torchaudio'] = None; import wavegen.audio.torchaudio_import"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_command_reports(capsys: pytest.CaptureFixture[str], fake) -> None:
    fake(BROKEN_BY_EXTENSION)
    assert torchaudio_import.main([]) == 2
    assert "error: torchaudio cannot be imported" in capsys.readouterr().err
    assert torchaudio_import.main(["--repair"]) == 0
    assert "moved _torchaudio.abi3.so, libtorchaudio.abi3.so aside" in capsys.readouterr().out

"""Wheel and source distribution are the same bit for bit, whoever builds them, and hold what git knows."""

import base64
import csv
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Another day for the build's own processes.
LATER = """
import time
now, local = time.time, time.localtime
time.time = lambda: now() + 400 * 86400
time.localtime = lambda seconds=None: local(time.time() if seconds is None else seconds)
"""
BINARY = {".png", ".safetensors"}


class Built(NamedTuple):
    wheel: Path
    sdist: Path


def tracked() -> list[str]:
    """The files of the checkout that git knows."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is not a checkout of the repository")
    result = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(name for name in result.stdout.split("\0") if name and (ROOT / name).is_file())


def _copy(names: list[str], folder: Path, umask: int, mtime_s: float) -> None:
    before = os.umask(umask)
    try:
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
            if os.access(ROOT / name, os.X_OK):
                target.chmod(0o777 & ~umask)
            os.utime(target, (mtime_s, mtime_s))
    finally:
        os.umask(before)


def _build(folder: Path, output: Path, umask: int, **environment: str) -> Built:
    clean = {
        name: value for name, value in os.environ.items() if name not in ("SOURCE_DATE_EPOCH", "PYTHONPATH")
    }
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(output), str(folder)],
        env={**clean, **environment},
        umask=umask,
        check=True,
        capture_output=True,
    )
    (wheel,), (sdist,) = output.glob("*.whl"), output.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Built]:
    """Builds of the same files: one plain; one in another place, order, time and environment, with strays."""
    names, place = tracked(), tmp_path_factory.mktemp("builds")
    _copy(names, place / "one", 0o022, 1_000_000_000)
    other = place / "a longer" / "path of" / "two"
    _copy(names[::-1], other, 0o077, 1_700_000_000)
    for stray in (".env", "notes.txt", "wavegen/__pycache__/errors.cpython-311.pyc", "build/x", ".idea/y"):
        (other / stray).parent.mkdir(exist_ok=True)
        (other / stray).write_text("a secret")
    (other / ".venv").symlink_to(place)
    (place / "later").mkdir()
    (place / "later" / "sitecustomize.py").write_text(LATER)
    return (
        _build(place / "one", place / "dist one", 0o022, TZ="UTC", PYTHONHASHSEED="1"),
        _build(
            other,
            place / "dist two",
            0o077,
            TZ="Asia/Tokyo",
            LC_ALL="C",
            PYTHONHASHSEED="2",
            PYTHONPATH=str(place / "later"),
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_two_builds_are_the_same_bit_for_bit(two, kind):
    one, other = (getattr(each, kind) for each in two)
    assert one.name == other.name
    assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()


@pytest.mark.slow
def test_the_wheel_holds_what_git_knows_of_the_package_and_its_record_says_so(two):
    with zipfile.ZipFile(two[0].wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
        assert len(archive.namelist()) == len(contents)  # no name twice
    shared = {
        name: f"wavegen/_share/{name}" for name in tracked() if name.startswith(("configs/", "recipes/"))
    }
    shared |= {name: name for name in tracked() if name.startswith("wavegen/")}
    (info,) = {name.partition("/")[0] for name in contents if ".dist-info/" in name}
    described = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
    assert contents.keys() == {*shared.values(), *described, f"{info}/licenses/LICENSE"}
    for source, name in shared.items():
        assert contents[name] == (ROOT / source).read_bytes(), name
    record = {name: rest for name, *rest in csv.reader(io.StringIO(contents[f"{info}/RECORD"].decode()))}
    assert record.keys() == contents.keys()
    assert record.pop(f"{info}/RECORD") == ["", ""]
    for name, (value, size) in record.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(contents[name]).digest()).rstrip(b"=").decode()
        assert (value, size) == (f"sha256={digest}", str(len(contents[name]))), name


@pytest.mark.slow
def test_the_source_distribution_holds_what_git_knows(two):
    with tarfile.open(two[0].sdist) as archive:
        members = archive.getmembers()
        names = {member.name.partition("/")[2] for member in members}
        assert all(member.isfile() and member.uid == member.gid == 0 for member in members)
    assert names == {*(name for name in tracked() if not name.startswith(".ci/")), "PKG-INFO"}


def test_nothing_binary_but_weights_and_figures():
    """What nobody can read in a review is a figure of the documentation or weights with a known sum."""
    for name in tracked():
        path, content = Path(name), (ROOT / name).read_bytes()
        if path.suffix in BINARY:
            folders = (
                ("docs/figures/", "benchmarks/results/") if path.suffix == ".png" else ("wavegen/voices/",)
            )
            assert name.startswith(folders), name
        else:
            content.decode("utf-8")
            assert b"\0" not in content, name
    for sums in (ROOT / "wavegen" / "voices").glob("*/SHA256SUMS"):
        listed = {line.split("  ")[1] for line in sums.read_text(encoding="utf-8").splitlines()}
        assert listed == {path.name for path in sums.parent.glob("*.safetensors")}
    weights = {Path(name).parent for name in tracked() if name.endswith(".safetensors")}
    assert weights == {path.parent.relative_to(ROOT) for path in ROOT.glob("wavegen/voices/*/SHA256SUMS")}

"""What is declared is what is used, and a wheel installed elsewhere is complete."""

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {_name(name): pinned for name, pinned in pairs}


def _imported_distributions(directory: Path) -> dict[str, Path]:
    """Distribution → one file that imports it, for everything that is neither ours nor Python's."""
    owners = {**packages_distributions(), "parselmouth": ["praat-parselmouth"]}  # its wheel does not tell
    found: dict[str, Path] = {}
    own = {"wavegen", "tests", *(path.stem for path in (ROOT / "scripts").glob("*.py"))}
    for path in directory.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += (
                [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            )
            for top in {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names):
                if top not in own:
                    found.setdefault(_name(owners.get(top, [top])[0]), path)
    return found


@pytest.mark.parametrize("directory", ["wavegen", "recipes", "scripts"])
def test_every_import_is_a_declared_dependency(directory: str) -> None:
    extras = [PROJECT["optional-dependencies"][extra] for extra in ("pyro", "tables", "pesq")]
    extras += [PROJECT["optional-dependencies"]["test"]] if directory == "scripts" else []
    declared = {_name(requirement) for requirement in sum(extras, PROJECT["dependencies"])}
    undeclared = {
        name: str(path.relative_to(ROOT))
        for name, path in _imported_distributions(ROOT / directory).items()
        if name not in declared
    }
    assert undeclared == {}


def test_extras_are_imported_where_they_are_needed_only() -> None:
    """Every module but the adapter of an extra imports without it: nobody has to install Pyro to speak."""
    code = (
        "import sys; extras = ['pyro', 'pandas', 'pyarrow', 'pocketsphinx', 'pesq', 'pyworld']; "
        "sys.modules |= dict.fromkeys(extras); import wavegen.cli.main; "
    )
    files = [path for path in (ROOT / "wavegen").rglob("*.py") if path.name not in ("__main__.py", "pyro.py")]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]
    names = sorted(name.removesuffix(".__init__") for name in names)
    code += "; ".join(f"import {name}" for name in names)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def _with_extras_named(requirements: list[str]) -> list[str]:
    """``wavegen[a,b]`` replaced by what the extras a and b require."""
    result = []
    for requirement in requirements:
        own = re.fullmatch(r"wavegen\[(.*)\]", requirement)
        named = own[1].split(",") if own else []
        result += sum((PROJECT["optional-dependencies"][extra] for extra in named), []) or [requirement]
    return result


def test_constraints_pin_all_that_is_installed_and_tested() -> None:
    pins = _pins()
    wanted = PROJECT["dependencies"] + _with_extras_named(PROJECT["optional-dependencies"]["test"])
    assert [requirement for requirement in wanted if _name(requirement) not in pins] == []
    assert pins["torch"] == "2.13.0"
    assert pins["torchaudio"] == "2.11.0"
    for name in ("torch", "torchaudio", "lightning", "hydra-core", "lhotse"):
        if version(name).partition("+")[0] != pins[name]:
            pytest.skip(f"this environment was not made with constraints.txt: {name} {version(name)}")


def test_scripts_are_executable_bash() -> None:
    for name in ("scripts/setup", "scripts/test", "scripts/quickstart", ".ci/run"):
        path = ROOT / name
        assert os.access(path, os.X_OK), f"{name} is not executable"
        subprocess.run(["bash", "-n", str(path)], check=True)


def _files(directory: Path) -> set[str]:
    return {
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has wavegen from its wheel, and all else from this one."""
    directory = tmp_path_factory.mktemp("elsewhere")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(directory), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = directory.glob("*.whl")
    environment = directory / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    # Directories named in a .pth file have their own .pth files ignored: this checkout stays out of sight.
    site_packages = next((environment / "lib").glob("python*/site-packages"))
    (site_packages / "outer.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install"]
    subprocess.run([*pip, "--no-index", "--no-deps", "--ignore-installed", "--quiet", str(wheel)], check=True)
    return environment


def _run(environment: Path, *command: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = str(environment / "bin" / command[0])
    return subprocess.run(
        [program, *command[1:]], cwd=environment, env=clean, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_wheel_brings_its_configs_recipes_and_data(elsewhere: Path) -> None:
    code = (
        "import wavegen; from wavegen.resources import resource_directory as find;"
        "print(wavegen.__path__[0], find('configs'), find('recipes'), sep='\\n')"
    )
    result = _run(elsewhere, "python", "-c", code)
    package, configs, recipes = (Path(line) for line in result.stdout.splitlines())
    assert elsewhere in package.parents and package in configs.parents and package in recipes.parents
    assert _files(configs) == _files(ROOT / "configs")
    assert _files(recipes) == _files(ROOT / "recipes")
    assert _files(package) - _files(package / "_share") >= _files(ROOT / "wavegen")


@pytest.mark.slow
def test_wheel_runs_from_anywhere(elsewhere: Path) -> None:
    overview = _run(elsewhere, "wavegen", "--help")
    assert (overview.returncode, overview.stderr) == (0, "")
    for recipe in ("prepare", "teacher", "distill", "synthesize", "evaluate"):
        assert recipe in overview.stdout
    described = _run(elsewhere, "python", "-m", "wavegen", "distill", "--help")
    assert described.returncode == 0 and "wavegen distill" in described.stdout
    composed = _run(elsewhere, "wavegen", "distill", "--config", "seed=0")
    assert composed.returncode == 0 and "\nseed: 0\n" in composed.stdout
    refused = _run(elsewhere, "wavegen", "evaluate", "checkpoint=no/such, run")
    assert refused.returncode == 2, refused.stderr
    assert refused.stderr.splitlines()[-1].startswith("error: ") and "no/such, run" in refused.stderr

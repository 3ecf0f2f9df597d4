"""The files that the documentation names are there, and its example of a front end and a prosody works."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from wavegen.errors import UserError
from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.linguistics.prosody.prosody import Prosody, summary_of

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "configs/README.md",
    ROOT / "benchmarks/README.md",
]
PAGES += sorted((ROOT / "docs").glob("*.md"))
FOLDERS = ("wavegen", "recipes", "configs", "scripts", "tests", "benchmarks", "docs")
NAMES = {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
PLACEHOLDER = re.compile(r"[<*{…]|NAME|FAMILY|\bID\b")


def named_files(page):
    """Paths from the top, and names of Python files, in backticks; other projects' files are left out."""
    text = page.read_text(encoding="utf-8").partition("## Design rules from other projects")[0]
    words = {span.split()[0].rstrip(":") for span in re.findall(r"`([^`\n]+)`", text) if span.strip()}
    words = {word for word in words if not PLACEHOLDER.search(word)}
    paths = {word for word in words if word.split("/")[0] in FOLDERS and "/" in word}
    return paths, {word for word in words if word.endswith(".py")} - paths


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_files_that_a_page_names_exist(page):
    paths, modules = named_files(page)
    assert not {path for path in paths if not (ROOT / path).exists()}
    assert not {module for module in modules if Path(module).name not in NAMES}


def test_pages_name_files():
    assert sum(len(paths) + len(modules) for paths, modules in map(named_files, PAGES)) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_links_of_a_page_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert not {link for link in links if "://" not in link and not (page.parent / link).exists()}


@pytest.fixture(scope="module")
def example_parts():
    """The configurations of docs/architecture.md, and the classes of its Python, by their groups."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    configs = dict(re.findall(r"```yaml\n# @package corpus\.(\w+)\n(.*?)```", text, re.DOTALL))
    names: dict = {"__name__": "example"}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(code, "docs/architecture.md", "exec"), names)
    return configs, {"front_end": names["Beeps"], "prosody": names["Monotone"]}


def test_the_example_of_a_front_end_and_a_prosody_speaks(example_parts):
    _, classes = example_parts
    front_end, prosody = (kind() for kind in classes.values())
    assert isinstance(front_end, FrontEnd) and isinstance(prosody, Prosody)
    spoken = front_end.read("A beep")
    assert [phone.phone for phone in spoken.phones] == list("abeep")
    assert spoken.duration_s == pytest.approx(0.5) and len(spoken.waveform) == 8000
    with pytest.raises(UserError, match="no letters"):
        front_end.read("…")
    contours = dataclasses.replace(prosody, f0_hz=150.0).plan(spoken).contours
    fitted = prosody.fit([summary_of(prosody, spoken.phones, contours, None)])
    assert fitted.f0_hz == pytest.approx(150.0) and fitted.plan(spoken).num_frames == 100


def test_the_example_s_configurations_are_those_of_its_classes(example_parts):
    configs, classes = example_parts
    assert set(configs) == set(classes)
    for group, kind in classes.items():
        settings = yaml.safe_load(configs[group])
        assert settings.pop("_target_").startswith("wavegen.linguistics.")
        assert settings == {field.name: field.default for field in dataclasses.fields(kind)}
        assert f"# wavegen prepare {group}=NAME" in configs[group]
        (first_line,) = {
            path.read_text(encoding="utf-8").splitlines()[0]
            for path in (ROOT / "configs" / group).glob("[!_]*.yaml")
        }
        assert first_line == f"# @package corpus.{group}"

"""The files that the documentation names are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "configs/README.md",
    ROOT / "benchmarks/README.md",
]
PAGES += sorted((ROOT / "docs").glob("*.md"))
FOLDERS = ("wavegen", "recipes", "configs", "scripts", "tests", "benchmarks", "docs")
NAMES = {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
PLACEHOLDER = re.compile(r"[<*{…]|NAME|FAMILY|\bID\b")


def named_files(page):
    """Paths from the top, and names of Python files, in backticks; other projects' files are left out."""
    text = page.read_text(encoding="utf-8").partition("## Habits to absorb")[0]
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

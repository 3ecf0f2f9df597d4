"""The recipes that there are, and what their scripts say of themselves. Nothing here imports a recipe."""

import ast
from pathlib import Path

from wavegen.cli.config_files import header
from wavegen.errors import UserError

PIPELINE = ("prepare", "teacher", "distill", "synthesize", "evaluate")  # first, and in this order


def find_recipes(recipes: Path) -> dict[str, Path]:
    """Returns recipe name → script: every ``<recipes>/<family>/<name>.py``, the pipeline first."""
    found = {path.stem: path for path in sorted(recipes.glob("*/*.py")) if not path.name.startswith("_")}
    if not found:
        raise UserError(f"{recipes} has no recipe in it: expected scripts such as audio/distill.py")
    rank = {name: position for position, name in enumerate(PIPELINE)}
    return {name: found[name] for name in sorted(found, key=lambda name: (rank.get(name, len(rank)), name))}


def docstring(script: Path) -> str:
    """A recipe's description of itself."""
    return ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or "(no description)"


def examples(recipe: str, script: Path, configs: Path) -> list[str]:
    """The commands under "Examples:" in the docstring, and those at the configuration's top."""
    primary = configs / f"{recipe}.yaml"
    lines = docstring(script).partition("\nExamples:\n")[2].splitlines()
    lines += header(primary) if primary.is_file() else []
    shown = [line.strip() for line in lines if f"wavegen {recipe}" in line]
    return list(dict.fromkeys(shown))

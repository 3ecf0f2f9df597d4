"""The evaluation whose report is looked at: the fixtures of ``tests/evaluation``."""

import runpy
from pathlib import Path

_fixtures = runpy.run_path(str(Path(__file__).parents[1] / "evaluation" / "conftest.py"))
corpus, run_directory, evaluation = (_fixtures[name] for name in ("corpus", "run_directory", "evaluation"))

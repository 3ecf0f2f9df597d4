"""The exception for users: one kind that everything raises, and that its catchers tell from defects."""

import ast
from pathlib import Path

import wavegen
from wavegen.errors import UserError


def raised_messages():
    """The constant parts of every message that a ``UserError`` is raised with, with its place."""
    for path in sorted(Path(wavegen.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "UserError":
                literals = [c.value for c in ast.walk(node) if isinstance(c, ast.Constant)]
                text = "".join(value for value in literals if isinstance(value, str))
                yield f"{path.name}:{node.lineno}", text


def test_every_user_error_has_one_line_to_say():
    messages = list(raised_messages())
    assert len(messages) > 100
    for place, text in messages:
        assert "\n" not in text, place


def test_a_user_error_is_a_failure_that_nothing_but_its_catchers_expects():
    error = UserError("key: expected 1, got 2")
    assert isinstance(error, Exception) and str(error) == "key: expected 1, got 2"
    assert not isinstance(error, (ValueError, OSError, RuntimeError))

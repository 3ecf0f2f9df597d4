"""Runs measurements in a new process, whose imports, memory and compiled code are known."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from wavegen.errors import UserError


def ask_child(
    module: str, settings: Mapping[str, Any], *, timeout_s: float | None = None, **environment: str
) -> Any:
    """Run a module as a program with the settings as JSON on its standard input.

    Progress bars of the child are shown.

    Returns:
        The last line of its standard output, read as JSON.

    Raises:
        UserError: if the child fails; its messages are shown before.
        subprocess.TimeoutExpired: if it takes longer than ``timeout_s``; it is killed.
    """
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(dict(settings)),
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    if done.returncode:
        raise UserError(
            f"a benchmark process ({module}) ended with status {done.returncode}, expected 0; see above"
        )
    return json.loads(done.stdout.splitlines()[-1])


def settings_of_child() -> dict[str, Any]:
    """In the child: read the settings of the measurement."""
    return json.loads(sys.stdin.read())


def answer(value: Any) -> None:
    """In the child: print the result."""
    print(json.dumps(value), flush=True)

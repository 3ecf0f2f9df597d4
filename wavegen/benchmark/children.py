"""Measurements that need a process of their own: what it imports, holds and has compiled is known."""

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
    """What a module, run as a program with the settings as JSON at its input, prints last, read as JSON.

    Its progress bars go where this process's go.

    Raises:
        UserError: where it fails; what it said stands above.
        subprocess.TimeoutExpired: where it is not done within ``timeout_s``; it is ended.
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
            f"a measuring process ({module}) ended with status {done.returncode}, expected 0; see above"
        )
    return json.loads(done.stdout.splitlines()[-1])


def settings_of_child() -> dict[str, Any]:
    """In the child: what it was asked to measure."""
    return json.loads(sys.stdin.read())


def answer(value: Any) -> None:
    """In the child: its last words."""
    print(json.dumps(value), flush=True)

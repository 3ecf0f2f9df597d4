"""Installs a tool of the supply chain into an environment of its own, apart from wavegen's."""

import subprocess
import sys
from pathlib import Path


class NotInstalled(Exception):
    """A tool could not be installed; the message is pip's last line."""


def install_tool(requirement: str, folder: Path) -> Path:
    """Make an environment in a new folder with one package, and return its folder of programs.

    Raises:
        NotInstalled: if pip fails, for example because the package index cannot be reached.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    programs = folder / "bin"
    result = subprocess.run(
        [
            *(str(programs / "python"), "-m", "pip", "install"),
            *("--quiet", "--disable-pip-version-check", requirement),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or [f"pip ended with status {result.returncode}"]
        raise NotInstalled(f"{requirement} cannot be installed ({lines[-1]})")
    return programs

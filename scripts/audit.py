"""Asks an advisory service which versions in constraints.txt have known vulnerabilities, by pip-audit.

    python3 scripts/audit.py            # of PyPI
    python3 scripts/audit.py osv        # of osv.dev

Exit status: 0, every pin was looked up and none has a known vulnerability; 1, some have, they are listed;
2, wrong arguments; 3, the service was not reached or does not know every pin, so nothing is proved. Needs the
network, and is no part of continuous integration: what it says depends on the day.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tool_environment import NotInstalled, install_tool

ROOT = Path(__file__).resolve().parent.parent
TOOL = "pip-audit==2.10.1"
SERVICES = ("pypi", "osv")
NONE_KNOWN, VULNERABLE, USAGE, NOT_ASKED = range(4)


def verdict(report: dict[str, Any], service: str) -> tuple[int, list[str]]:
    """Exit status and lines to print, of pip-audit's report in JSON.

    Where the service does not know a package, pip-audit skips it and reports success. A mirror of the index
    without advisories knows none.
    """
    packages = report["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    lines = [
        f"{package['name']} {package['version']}: {', '.join([found['id'], *found['aliases']])}, "
        f"fixed in {', '.join(found['fix_versions']) or 'no version'}"
        for package in packages
        for found in package.get("vulns", [])
    ]
    known = len(packages) - len(skipped)
    if skipped:
        names = ", ".join(package["name"] for package in skipped[:3]) + (" …" if len(skipped) > 3 else "")
        count = f"{len(skipped)} of {len(packages)} pinned packages"
        missing = f"the advisory service {service} was not reached for {count} ({names})"
        return VULNERABLE if lines else NOT_ASKED, [*lines, missing]
    if lines:
        return VULNERABLE, lines
    return NONE_KNOWN, [f"{service} knows no vulnerability of the {known} pinned packages"]


def audit(programs: Path, constraints: Path, service: str, *options: str) -> tuple[int, list[str]]:
    """Run the pip-audit of an environment on a file of pins. Returns exit status and lines to print."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            *(str(programs / "pip-audit"), "--requirement", str(constraints), "--no-deps", "--disable-pip"),
            *("--progress-spinner", "off", "--vulnerability-service", service, "--timeout", "60"),
            *("--format", "json", "--output", str(report), *options),
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if not report.exists():  # status 1 also means that something was found
            last = (result.stderr.strip().splitlines() or [f"status {result.returncode}"])[-1]
            return NOT_ASKED, [f"the advisory service {service} was not reached ({last})"]
        return verdict(json.loads(report.read_text(encoding="utf-8")), service)


def main(arguments: list[str]) -> int:
    if len(arguments) > 1 or not set(arguments) <= set(SERVICES):
        print(f"usage: scripts/audit.py [{'|'.join(SERVICES)}]", file=sys.stderr)
        return USAGE
    (service,) = arguments or SERVICES[:1]
    with tempfile.TemporaryDirectory() as folder:
        try:
            programs = install_tool(TOOL, Path(folder))
            status, lines = audit(programs, ROOT / "constraints.txt", service)
        except NotInstalled as error:
            status, lines = NOT_ASKED, [f"the advisory service {service} was not asked: {error}"]
    print("\n".join(lines), file=sys.stderr if status == NOT_ASKED else sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

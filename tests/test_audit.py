"""What scripts/audit.py makes of an advisory service's answers, and of none."""

import json
import os
import runpy
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
ADVISORY = {
    "id": "GHSA-0000",
    "aliases": ["CVE-2026-0001"],
    "summary": "",
    "published": "2026-01-01T00:00:00Z",
    "modified": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "idna", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.99"}]}],
            "versions": ["3.20"],
        }
    ],
}


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return runpy.run_path(str(SCRIPTS / "audit.py"))


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([{"vulns": []}, {"vulns": []}], 0, "pypi knows no vulnerability of the 2 pinned packages"),
        ([{"skip_reason": "not found"}] * 2, 3, "pypi was not reached for 2 of 2 pinned packages (p0, p1)"),
        # One package that is unknown proves nothing of that one.
        ([{"vulns": []}, {"skip_reason": "not found"}], 3, "not reached for 1 of 2 pinned packages (p1)"),
        ([{"skip_reason": ""}] * 5, 3, "5 of 5 pinned packages (p0, p1, p2 …)"),
        (
            [{"vulns": [{"id": "A", "aliases": ["B"], "fix_versions": []}]}, {"skip_reason": ""}],
            1,
            "p0 1: A, B, fixed in no version\nthe advisory service pypi was not reached for 1 of 2",
        ),
    ],
)
def test_the_verdict_never_takes_silence_for_safety(script, packages, status, said):
    named = [{"name": f"p{number}", "version": "1", **each} for number, each in enumerate(packages)]
    got, lines = script["verdict"]({"dependencies": named}, "pypi")
    assert got == status and said in "\n".join(lines)


def test_arguments_that_are_no_service_are_refused():
    for arguments in (["safety"], ["pypi", "osv"]):
        command = [sys.executable, str(SCRIPTS / "audit.py"), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (2, "usage: scripts/audit.py [pypi|osv]\n")


@pytest.mark.slow
def test_without_an_index_the_tool_is_not_installed_and_nothing_is_proved():
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    result = subprocess.run(
        [sys.executable, str(SCRIPTS / "audit.py")],
        env={**clean, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (3, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("the advisory service pypi was not asked: pip-audit==")
    assert "cannot be installed (ERROR: No matching distribution" in line


@pytest.mark.slow
def test_pip_audit_lists_what_a_service_knows(script, tmp_path, monkeypatch):
    """pip-audit itself, with a service on this machine that knows one advisory, then with none at all."""
    try:
        programs = script["install_tool"](script["TOOL"], tmp_path / "tool")
    except script["NotInstalled"] as error:
        pytest.skip(str(error))
    asked = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            vulns = {"vulns": [ADVISORY]} if asked[-1]["package"]["name"] == "idna" else {}
            content = json.dumps(vulns).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    pins = tmp_path / "constraints.txt"
    pins.write_text("# a comment\nidna==3.20\nzuko==1.6.0\n")
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/v1/query"
        status, lines = script["audit"](programs, pins, "osv", "--osv-url", url)
        server.shutdown()
        thread.join()
    assert {each["package"]["name"]: each["version"] for each in asked} == {"idna": "3.20", "zuko": "1.6.0"}
    assert status == 1
    assert lines == ["idna 3.20: CVE-2026-0001, GHSA-0000, fixed in 3.99"]
    # Nobody listens there any more.
    status, (line,) = script["audit"](programs, pins, "osv", "--osv-url", url)
    assert status == 3 and line.startswith("the advisory service osv was not reached (")

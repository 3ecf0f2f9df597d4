"""The program of the child, called in this process and run as one, over its pipes."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import espeakng_loader
import numpy as np
import pytest

from wavegen.linguistics.frontends.espeak import child

PATHS = espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
REQUEST = {"voice": "en-us", "words_per_minute": 165, "pitch": 50, "text": "Six fish.", "longest_s": 60.0}


def test_events_are_those_of_the_samples():
    reply, samples = child.synthesize(*PATHS, **REQUEST)
    assert reply["num_bytes"] == len(samples)
    num_samples = len(samples) // 2
    assert np.abs(np.frombuffer(samples, np.int16)).max() > 1000
    phones = [name for kind, _, name in reply["events"] if kind == child.EVENT_PHONEME and name]
    assert phones[:4] == ["s", "'I", "k", "s"]
    places = [place for _, place, _ in reply["events"]]
    assert places == sorted(places) and 0 <= places[0] and places[-1] <= num_samples


def test_the_same_text_gives_the_same_samples_whatever_was_said_before():
    first = child.synthesize(*PATHS, **REQUEST)
    child.synthesize(*PATHS, **{**REQUEST, "text": "Something else altogether.", "voice": "en-us+f3"})
    assert child.synthesize(*PATHS, **REQUEST) == first


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"voice": "no-such-voice"}, child.NO_VOICE), ({"longest_s": 0.1}, child.TOO_LONG)],
)
def test_what_cannot_be_said_is_an_error_without_samples(change, reason):
    assert child.synthesize(*PATHS, **{**REQUEST, **change}) == ({"error": reason}, b"")


def test_the_program_answers_line_by_line_until_its_pipe_closes():
    process = subprocess.Popen(
        [sys.executable, child.__file__, *PATHS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    requests = [REQUEST, {**REQUEST, "unknown": 1}, {**REQUEST, "voice": "no-such-voice"}]
    lines = b"".join(json.dumps(request).encode() + b"\n" for request in requests)
    out, _ = process.communicate(lines, timeout=60)
    assert process.returncode == 0
    expected, samples = child.synthesize(*PATHS, **REQUEST)
    line, _, rest = out.partition(b"\n")
    assert json.loads(line) == json.loads(json.dumps(expected))
    assert rest[: len(samples)] == samples
    failure, unknown_voice = rest[len(samples) :].splitlines()
    assert "unexpected keyword argument 'unknown'" in json.loads(failure)["error"]
    assert json.loads(unknown_voice) == {"error": child.NO_VOICE}


def test_it_imports_the_standard_library_only():
    tree = ast.parse(Path(child.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
